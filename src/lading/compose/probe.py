"""A Compose file of 20 lines that every Compose reads alike: what the hosts' make of it is compared with ours (pure)."""

# What every Compose from 2.24.4 on reads alike: lading's own words, and what projects mostly say.
FILE = """services:
  web:
    image: registry.example/web:1
    command: [serve, "--price=1$$"]
    cpus: 0.5
    depends_on: {db: {condition: service_healthy, restart: true}}
    devices: ["/dev/null:/dev/xnull"]
    environment: {A: 1, B: ""}
    healthcheck: {test: [CMD, "true"], interval: 90s, retries: 3}
    ports: ["127.0.0.1:8080:80", {target: 81, published: 8081}]
    volumes: ["./a:/a:ro", {type: bind, source: /b, target: /b}, "data:/data"]
    configs: [{source: c, target: /c, mode: 0440}]
    networks: [back]
    deploy: {resources: {limits: {cpus: "0.50", memory: 64M}}}
    labels: !override {x: y}
    build: !reset null
  db: {image: registry.example/db:1, restart: unless-stopped}
configs: {c: {file: ./c}}
networks: {back: {enable_ipv6: false, internal: true}}
volumes: {data: {}}
"""
OPTIONS = "-p lading-probe --project-directory / -f -"
