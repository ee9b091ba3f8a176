#!/bin/sh
exec /bin/stand-in postgres
