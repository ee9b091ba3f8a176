#!/bin/bash
set -e
psql -c "CREATE ROLE replica"
