"""The tasks of an exported playbook, as people read them; @WORDS@ are filled in by export/ansible.py (pure)."""

PLAYBOOK = """---
# @TITLE@
# Release @RELEASE@, written by lading. It needs Ansible and nothing else:
#
#   ansible-playbook @INVENTORIES@ playbook.yml
#
@WHOSE@
# In the environment:
@NEEDED@
# Hosts need Docker with Compose 2.24.4 or later, and Python. Again on a host that is as it says, it changes nothing.
# Batches are those of the plan; after a failure no further batch begins. What lading does beyond this is not here:
# no undo, no lease (let nobody else deploy meanwhile), no checks before the start, no entry in the history.
# Files lie where lading's own deployments put them, so that volumes, host data and containers are the same.
- name: @PLAY@
  hosts: @HOSTS@
  serial: @SERIAL@
  any_errors_fatal: true
  gather_facts: false
  vars:
@VARIABLES@
    app_look:
      - docker
      - ps
      - -a
      - --no-trunc
      - --filter
      - "label=com.docker.compose.project={{ app_name }}"
      - --format
      - !unsafe >-
        {{.Label "com.docker.compose.service"}}|{{.Label "lading.content"}}|{{.Label "lading.secrets"}}|{{.State}}|{{.Status}}|{{.Label
        "com.docker.compose.oneoff"}}|{{.ID}}
    app_engine_id: !unsafe "{{.ID}}"
    app_image_id: !unsafe "{{.Id}}"
    app_restarts: [docker, inspect, --format, !unsafe "{{.Name}} {{.RestartCount}}"]
    # How a service looks that must end, and one that may
    app_ends: {must: 'exited[|]Exited [(]0[)]', may: '(running[|]|exited[|]Exited [(]0[)])'}
    # Images that the host lacks; services that do not run as the release says, and those that are not good yet
    app_absent: "{{ app_images.results | rejectattr('rc', 'equalto', 0) | map(attribute='item') | list }}"
    app_start: >-
      {% set found = [] %}{% for name, service in app_services.items() %}
      {% set line = name ~ '[|]' ~ service.content ~ '[|]' ~ (app_labels[inventory_hostname][name] | default('')) ~ '[|]' %}
      {% set wanted = line ~ (app_ends[service.ends] | default('running[|]')) %}
      {% if app_seen.stdout_lines | select('match', wanted) | length < service.replicas or name in app_again %}
      {% set _ = found.append(name) %}{% endif %}{% endfor %}{{ found | join(' ') }}
    app_awaited: >-
      {% set found = [] %}{% for name, service in app_services.items() %}
      {% set line = name ~ '[|]' ~ service.content ~ '[|]' ~ (app_labels[inventory_hostname][name] | default('')) ~ '[|]' %}
      {% set good = 'running[|].*[(]healthy[)]' if service.health else 'running[|]' %}
      {% set wanted = line ~ (app_ends[service.ends] | default(good)) %}
      {% if app_seen.stdout_lines | select('match', wanted) | length < service.replicas %}
      {% set _ = found.append(name) %}{% endif %}{% endfor %}{{ found | join(' ') }}
    app_gone: >-
      {% for line in app_seen.stdout_lines %}{% set words = line.split('|') %}
      {% if words[0] not in app_known and words[5] == 'False' %}{{ words[6] }} {% endif %}{% endfor %}
  tasks:
@REQUIRE@
@STATE@
    # lading's layout: every release by its id, shipped files by their content, the host's own data in project/
    - name: Make the app's folders
      ansible.builtin.file:
        path: "{{ item }}"
        state: directory
        mode: "{{ app_mode }}"
      loop:
        - "{{ app_state }}"
        - "{{ app_folder }}/releases"
        - "{{ app_folder }}/objects"
        - "{{ app_folder }}/secrets"
        - "{{ app_folder }}/project"

    - name: Say which layout it is
      ansible.builtin.copy:
        content: "1\\n"
        dest: "{{ app_state }}/format"
        mode: "0660"
        force: false

    - name: Copy the release
      ansible.builtin.copy:
        src: files/releases/
        dest: "{{ app_folder }}/releases/"
        mode: preserve
        directory_mode: "0755"

@OBJECTS@
    - name: Write the script that runs Compose
      ansible.builtin.copy:
        src: "files/compose/{{ inventory_hostname }}"
        dest: "{{ app_folder }}/compose"
        mode: "0755"

@SECRETS@
    - name: Find absent images
      ansible.builtin.command:
        argv: [docker, image, inspect, --format, "{{ app_image_id }}", "{{ item }}"]
      loop: "{{ app_services.values() | map(attribute='images') | flatten | unique }}"
      register: app_images
      changed_when: false
      failed_when: false

    # The login lives in memory, for the time of the pull
    - name: Pull what is absent
      when: app_absent | length > 0
      block:
        - name: Make a folder in memory for the login
          ansible.builtin.tempfile:
            state: directory
            path: /dev/shm
            prefix: "lading.{{ app_name }}."
          register: app_login
          changed_when: false

@LOGIN@
        - name: Pull by digest
          ansible.builtin.command:
            argv: [docker, --config, "{{ app_login.path }}", pull, -q, "{{ item }}"]
          loop: "{{ app_absent }}"
          changed_when: true
      always:
        - name: Remove the login
          ansible.builtin.file:
            path: "{{ app_login.path }}"
            state: absent
          when: app_login.path is defined
          changed_when: false

    - name: Look at what runs
      ansible.builtin.command:
        argv: "{{ app_look }}"
      register: app_seen
      changed_when: false

    - name: Bring up what does not run as the release says
      ansible.builtin.command:
        argv: "{{ [app_folder ~ '/compose', 'up', '-d', '--no-deps', '--no-build', '--pull', 'never']
          + (['--force-recreate'] if app_again else []) + app_start.split() }}"
        stdin: "n"  # Compose asks whether to delete the data of a volume that is defined otherwise
      when: app_start.split() | length > 0
      register: app_up
      changed_when: true

    - name: Wait until it is good
      ansible.builtin.command:
        argv: "{{ app_look }}"
      register: app_seen
      until: app_awaited.split() | length == 0 or app_seen.stdout is search('[|](restarting|dead)[|]|[|]Exited [(][1-9]|[(]unhealthy[)]')
      retries: "{{ (app_wait / 2) | int }}"
      delay: 2
      changed_when: false
      failed_when: app_awaited.split() | length > 0

    - name: Watch it for a while
      when: app_up is changed and app_monitor > 0
      block:
        - name: Note the restarts
          ansible.builtin.command:
            argv: "{{ app_restarts + (app_seen.stdout_lines | map('split', '|') | map('last') | list) }}"
          register: app_before
          changed_when: false

        - name: Let it run
          ansible.builtin.pause:
            seconds: "{{ app_monitor }}"

        - name: Compare the restarts
          ansible.builtin.command:
            argv: "{{ app_restarts + (app_seen.stdout_lines | map('split', '|') | map('last') | list) }}"
          register: app_after
          changed_when: false
          failed_when: app_after.stdout != app_before.stdout

    - name: Remove services that the release no longer has
      ansible.builtin.command:
        argv: [docker, rm, -f, "{{ item }}"]
      loop: "{{ app_gone.split() }}"
      changed_when: true

    # By this lading knows what runs here, and goes back to it if a later deployment of its own fails
    - name: Read what is declared
      ansible.builtin.command:
        argv: [cat, "{{ app_folder }}/current"]
      register: app_declared
      changed_when: false
      failed_when: false

    - name: Declare the release
      ansible.builtin.copy:
        content: "{{ app_current | combine({'generations': mine, 'since': now(true, '%Y-%m-%dT%H:%M:%SZ')}) | to_json(separators=(',', ':')) }}\n"
        dest: "{{ app_folder }}/current"
        mode: "0660"
      vars:
        mine: "{{ app_generations[inventory_hostname] | default({}) }}"
        declared: "{{ app_declared.stdout | default('{}', true) | from_json }}"
      when: declared.release | default('') != app_current.release or declared.generations | default({}) != mine
@DELAY@
"""

TEAMS = """\
# INVENTORY is the Ansible inventory by which lading knew these hosts: it says how they are reached, and as whom.
#
"""

REQUIRE = """\
    - name: @TITLE@
      ansible.builtin.assert:
        that: @THAT@
        fail_msg: @MESSAGE@
        quiet: true

"""

STATE = """\
    - name: Look for a folder of all users
      ansible.builtin.stat:
        path: /var/lib/lading
      register: app_shared

    - name: Ask the engine for its id
      ansible.builtin.command:
        argv: [docker, info, --format, "{{ app_engine_id }}"]
      register: app_engine
      changed_when: false

    - name: Ask for the home folder
      ansible.builtin.command:
        argv: [printenv, HOME]
      register: app_home
      changed_when: false

    - name: Choose the folder, as lading does
      ansible.builtin.set_fact:
        app_state: "{{ '/var/lib/lading' if common else own }}"
        app_folder: "{{ '/var/lib/lading' if common else own }}/apps/{{ app_name }}"
        app_mode: "{{ '2770' if common else '0700' }}"
      vars:
        common: "{{ app_shared.stat.exists and app_shared.stat.isdir and app_shared.stat.writeable }}"
        own: "{{ app_home.stdout }}/.lading/{{ app_engine.stdout | replace(':', '') }}"

"""

OBJECTS = """\
    - name: Copy the files that are mounted
      ansible.builtin.copy:
        src: files/objects/
        dest: "{{ app_folder }}/objects/"
        mode: preserve
        directory_mode: "0755"

"""

_SECRET = """\
    - name: @MAKE@
      ansible.builtin.file:
        path: @FOLDER@
        state: directory
        mode: "{{ app_mode }}"

    - name: @KEEP@
      ansible.builtin.copy:
        dest: @DEST@
        mode: "0644"
"""
SECRET_VARIABLE = _SECRET + """\
        content: |
          {% if "'" in value or value.endswith(app_backslash) %}
          @NAME@="{{ escaped | replace('"', app_backslash ~ '"') | replace('$', app_backslash ~ '$') | replace(app_newline, app_backslash ~ 'n') }}"
          {% else %}
          @NAME@='{{ value }}'
          {% endif %}
      vars:
        value: @VALUE@
        escaped: "{{ value | replace(app_backslash, app_backslash * 2) }}"
      no_log: true
      register: @REGISTER@

"""
SECRET_FILE = _SECRET + """\
        src: @SOURCE@
      no_log: true
      register: @REGISTER@

"""

LOGIN = """\
        - name: @TITLE@
          ansible.builtin.command:
            argv: [docker, --config, "{{ app_login.path }}", login, -u, @USER@, --password-stdin, @REGISTRY@]
            stdin: @PASSWORD@
            stdin_add_newline: false
          no_log: true
          changed_when: false

"""

DELAY = """
    - name: Wait before the next batch
      ansible.builtin.pause:
        seconds: @SECONDS@
"""
