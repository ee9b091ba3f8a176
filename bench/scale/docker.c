// Stands for `docker` on a simulated host: every call that lading, the raw script and the playbook make, after 50 ms.
// A host's engine is its folder: images/ (what was pulled) and containers/PROJECT (lines as of `docker inspect`). What only
// the real Compose can say is asked of it once for each release (compose.py) and kept; a call that is not known is noted.
// In C, because a thousand hosts share the machine with the controller, and a shell takes six times the CPU.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 4096
#define LINES 65536
static char scene[SIZE], all[LINES], project[256];
static const char *home;

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

static char *content(const char *path)
{
    static char text[LINES];
    int file = open(path, O_RDONLY);
    ssize_t count = file < 0 ? 0 : read(file, text, LINES - 1);
    text[count < 0 ? 0 : count] = 0;
    if (file >= 0) close(file);
    return text;
}

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

// Every container of the project, or of all; `show` prints one line of JSON as it is wanted
static void each(void (*show)(const char *line))
{
    struct dirent *entry;
    DIR *folder = opendir(join(home, "containers"));
    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.' && (!*project || !strcmp(project, entry->d_name)))
            for (char *rest, *line = strtok_r(content(join(join(home, "containers"), entry->d_name)), "\n", &rest); line;
                 line = strtok_r(NULL, "\n", &rest))
                show(line);
}

static void id(const char *line) { puts(cut(line, "{\"id\":\"", "\"")); }
static void state(const char *line) { printf("%s %s running\n", cut(line, "{\"id\":\"", "\""), cut(line, "\"name\":\"/", "\"")); }
static void nets(const char *line)
{
    const char *owner = cut(line, "compose.project\":\"", "\"");
    printf("c=%s %s %s\n", cut(line, "{\"id\":\"", "\""), owner, cut(line, "lading.app\":\"", "\""));
    printf("port=%s \nnet=%s %s %s\n", owner, cut(line, "\"name\":\"/", "\""), cut(line, "\"networks\":{\"", "\""), owner);
}
static void there(const char *line) { printf("there=%s\n", cut(line, "\"networks\":{\"", "\"")); }
static void expected(const char *line)
{
    if (!has(cut(line, "{\"id\":\"", "\""))) return;
    printf("= %s running 0 0 healthy\n%s\n", cut(line, "{\"id\":\"", "\""), line);
}
static void inspected(const char *line) { if (has(cut(line, "{\"id\":\"", "\""))) puts(line); }

static int unknown(void)
{
    FILE *file = fopen(join(scene, "unknown"), "a");
    if (file) fprintf(file, "unknown call: %s\n", all);
    fprintf(stderr, "unknown call: %s\n", all);
    return 64;
}

static int compose(char **words)
{
    const char *release = cut(all, "/releases/", "/"), *kept = join(join(scene, "kept"), release);
    char config[SIZE], containers[SIZE], asked[SIZE];
    snprintf(config, SIZE, "%s.config", kept);
    snprintf(containers, SIZE, "%s.containers", kept);
    if (access(containers, R_OK) != 0) {
        snprintf(asked, SIZE, "%s", kept);
        words[-1] = asked;
        if (!fork()) {
            char *python = strdup(join(scene, "python")), *program = strdup(join(scene, "bin/compose.py"));
            char *argv[256] = {python, program};
            for (int at = 0; at < 250 && words[at - 1]; at++) argv[at + 2] = words[at - 1];
            execv(python, argv);
        }
        int status = 0;
        while (wait(&status) > 0);
    }
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
    const char *digest = strstr(last, "@sha256:");
    const char *image = join(join(home, "images"), digest ? digest + 8 : "none");
    if (begins("info "))
        printf("engine=20.10.24\nid=%s\narch=x86_64\nctx=default\nplugin=2.40.3\nroot=%s\n", strrchr(home, '/') + 1, home);
    else if (begins("ps ") && has("oneoff")) return 0;
    else if (begins("ps ") && has("net=")) each(nets);
    else if (begins("network ls ")) { puts("there=bridge\nthere=host\nthere=none"); each(there); }
    else if (begins("volume ls ")) return 0;
    else if (begins("volume create ") || begins("volume inspect -f ")) return volume(last);
    else if (begins("events ")) pause();
    else if (begins("ps -a --no-trunc ")) each(state);
    else if (begins("ps -aq ")) each(id);
    else if (begins("container inspect --format {{if and ")) { *project = 0; each(expected); }
    else if (begins("container inspect --format ")) { *project = 0; each(inspected); }
    else if (begins("image inspect ")) return access(image, F_OK) ? 1 : 0;
    else if (begins("image rm ") || begins("tag ")) return 0;
    else if (has("login -u ")) {
        char given[256] = "", wanted[256];
        snprintf(wanted, sizeof wanted, "%.*s", (int)strcspn(content(join(scene, "password")), "\n"), content(join(scene, "password")));
        if (!fgets(given, sizeof given, stdin) || strncmp(given, wanted, strlen(wanted))) { fprintf(stderr, "unauthorized: %s\n", last); return 1; }
    }
    else if (has(" pull ") && digest) { mkdir(join(home, "images"), 0755); close(open(image, O_CREAT | O_WRONLY, 0644)); }
    else if (begins("compose ") && has("/compose.overlay.yaml")) return compose(words);
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
    const char *label = strstr(all, "com.docker.compose.project=");
    if (label) snprintf(project, sizeof project, "%.*s", (int)strspn(label + 27, "abcdefghijklmnopqrstuvwxyz0123456789_-"), label + 27);
    return answer(words + 1, count > 1 ? words[count - 1] : "");
}
