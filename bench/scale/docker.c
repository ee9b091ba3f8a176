// Stands on a simulated host for `docker` and, under the name docker-compose, for Compose's plug-in: answers after 50 ms.
// A host's engine is its folder: images/ (what was pulled), volumes/ and containers/PROJECT (see engine.c). What only the real
// Compose can say is asked of it once for each release (compose.py) and kept. A call that is not known is noted and fails the
// run: so are all of lading's for which it should ask the engine itself, or the plug-in.
// In C, because a thousand hosts share the machine with the controller, and a shell takes six times the CPU.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "content.h"

#define SIZE 4096
static char scene[SIZE], all[LINES];
static const char *home;
static int is_plugin;

static const char *join(const char *folder, const char *name)
{
    static char path[4][SIZE];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], SIZE, "%s/%s", folder, name);
    return path[turn];
}

static int has(const char *words) { return strstr(all, words) != NULL; }
static int begins(const char *words) { return strncmp(all, words, strlen(words)) == 0; }

static void store(const char *path, const char *text)
{
    const char *fresh = join(home, "new");
    FILE *file = fopen(fresh, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) || rename(fresh, path)) { perror(path); exit(1); }
}

// The text between `before` and `after` in a line; "" if it is not there
static const char *cut(const char *line, const char *before, const char *after)
{
    static char found[4][SIZE];
    static int turn;
    char *out = found[turn = (turn + 1) % 4];
    const char *at = strstr(line, before), *end = at ? strstr(at + strlen(before), after) : NULL;
    snprintf(out, SIZE, "%.*s", end ? (int)(end - at - strlen(before)) : 0, end ? at + strlen(before) : "");
    return out;
}

static int unknown(void)
{
    FILE *file = fopen(join(scene, "unknown"), "a");
    if (file) fprintf(file, "unknown call: %s\n", all);
    fprintf(stderr, "unknown call: %s\n", all);
    return 64;
}

// What the real Compose says, for all hosts once: whoever comes meanwhile waits, for so many at once would be most of the load
static void ask_compose(const char *kept, const char *containers, char **words)
{
    char held[SIZE];
    snprintf(held, SIZE, "%s.lock", kept);
    int file = open(held, O_CREAT | O_WRONLY | O_CLOEXEC, 0644), status = 0;
    flock(file, LOCK_EX);
    if (access(containers, R_OK) != 0 && !fork()) {
        char *argv[256] = {strdup(join(scene, "python")), strdup(join(scene, "bin/compose.py")), strdup(kept)};
        for (int at = 0; at < 250 && words[at]; at++) argv[at + 3] = words[at];
        execv(argv[0], argv);
        _exit(1);
    }
    while (wait(&status) > 0);
    close(file);
}

static int compose(char **words)
{
    const char *release = cut(all, "/releases/", "/"), *kept = join(join(scene, "kept"), release);
    char config[SIZE], containers[SIZE];
    snprintf(config, SIZE, "%s.config", kept);
    snprintf(containers, SIZE, "%s.containers", kept);
    if (access(containers, R_OK) != 0) ask_compose(kept, containers, words);
    if (has(" up -d ")) {
        mkdir(join(home, "containers"), 0755);
        store(join(join(home, "containers"), cut(all, "compose -p ", " ")), content(containers));
        return 0;
    }
    if (!has(" config ")) return unknown();
    const char *where = getenv("LADING_DIR");
    char *text = content(config);
    for (char *at; (at = strstr(text, "@DIR@")); text = at + 5) printf("%.*s%s", (int)(at - text), text, where ? where : "");
    fputs(text, stdout);
    return 0;
}

// The volume by which the engine remembers where lading keeps an app: its user and folder, as they are asked for
static int volume(const char *name)
{
    char text[SIZE];
    const char *mark = join(join(home, "volumes"), name);
    if (begins("volume create ")) {
        mkdir(join(home, "volumes"), 0755);
        snprintf(text, SIZE, "%s %s", cut(all, "lading.user=", " "), cut(all, "lading.folder=", " "));
        store(mark, text);
        return 0;
    }
    if (access(mark, R_OK) != 0) return 1;
    puts(content(mark));
    return 0;
}

static int answer(char **words, const char *last)
{
    if (begins("compose ") && has("/compose.overlay.yaml")) return is_plugin ? compose(words) : unknown();
    if (is_plugin && begins("compose version ")) { puts("2.40.3"); return 0; }
    if (is_plugin) return unknown();
    // The first script of a call must know the engine, after which a user's own state folder is called
    if (begins("info ")) {
        printf("engine=20.10.24\nid=%s\narch=x86_64\nctx=default\nplugin=2.40.3\nroot=%s\n", strrchr(home, '/') + 1, home);
        return 0;
    }
    if (begins("volume create ") || begins("volume inspect -f ")) return volume(last);
    if (begins("login -u ")) {
        char given[256] = "", wanted[256];
        snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(content(join(scene, "password")), "\n"), content(join(scene, "password")));
        if (!fgets(given, sizeof given, stdin) || strncmp(given, wanted, strlen(wanted))) { fprintf(stderr, "unauthorized: %s\n", last); return 1; }
    }
    else if (begins("compose ") && has(" pull -q")) return 0;
    else if (begins("compose ") && has(" up -d")) { const char *version = getenv("VERSION"); store(join(home, "version"), version ? version : ""); }
    else return unknown();
    return 0;
}

int main(int count, char **words)
{
    usleep(50000);
    home = getenv("HOME");
    ssize_t size = readlink("/proc/self/exe", scene, SIZE - 1);
    scene[size < 0 ? 0 : size] = 0;
    for (int up = 0; up < 2; up++) if (strrchr(scene, '/')) *strrchr(scene, '/') = 0;
    for (int at = 1; at < count; at++) {
        strncat(all, words[at], LINES - strlen(all) - 2);
        if (at + 1 < count) strcat(all, " ");
    }
    is_plugin = strstr(words[0], "docker-compose") != NULL;
    return answer(words + 1, count > 1 ? words[count - 1] : "");
}
