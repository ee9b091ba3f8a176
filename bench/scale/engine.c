// The engines of all simulated hosts: as much of Docker's API as lading asks, in one process, at /var/run/docker.sock.
// Which host is asked is what only the caller knows: sshd forwards the socket from the process that serves one connection, and
// the address at which that was called is the host. So nothing on a host says where its engine is, as on real ones.
// Lists are answered at once, as by an engine that takes a millisecond; a pull takes 50 ms. A host's engine is its folder: see
// docker.c. A request that is not known is noted, and fails the run.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include "content.h"

#define SIZE 4096
#define ASKED 65536
#define CALLERS_FILES 32 // sshd has its connection among the first of them
#define SSH 22
#define SLOW 50 // milliseconds, of a pull

struct text {
    char *bytes;
    size_t size, room;
};

struct caller {
    int stream;
    char home[SIZE + 64];
    char asked[ASKED];
    size_t size;
    struct text answer;
    size_t sent;
    long due; // when a pull has come to its end; 0 = there is none
    struct caller *next;
};

static char scene[SIZE];
static int events;
static struct caller *callers;
static int pulls; // that are going on

static void add(struct text *to, const char *bytes, size_t size)
{
    if (to->size + size + 1 > to->room) {
        to->room = 2 * (to->size + size + 1);
        to->bytes = realloc(to->bytes, to->room);
        if (!to->bytes) abort();
    }
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
    to->bytes[to->size] = 0;
}

__attribute__((format(printf, 2, 3))) static void say(struct text *to, const char *format, ...)
{
    char line[2 * SIZE];
    va_list words;
    va_start(words, format);
    int size = vsnprintf(line, sizeof line, format, words);
    va_end(words);
    add(to, line, size < (int)sizeof line ? (size_t)size : sizeof line - 1);
}

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

// Calls `show` with the name and the content of each file in a folder of the host
static void each(const char *home, const char *folder, void (*show)(struct text *, const char *, char *, const char *),
                 struct text *to, const char *wanted)
{
    char path[2 * SIZE];
    struct dirent *entry;
    snprintf(path, sizeof path, "%s/%s", home, folder);
    DIR *listed = opendir(path);
    if (!listed) return;
    while ((entry = readdir(listed))) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s/%s", home, folder, entry->d_name);
        show(to, entry->d_name, content(path), wanted);
    }
    closedir(listed);
}

static void comma(struct text *to)
{
    char last = to->size ? to->bytes[to->size - 1] : '[';
    if (last != '[') add(to, ",", 1);
}

// A container is a line: its id, what a list shows of it, what an inspection shows, between tabs
static void list(struct text *to, const char *project, char *lines, const char *wanted)
{
    if (*wanted && strcmp(project, wanted)) return;
    for (char *rest, *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *short_form = strchr(line, '\t'), *end = short_form ? strchr(short_form + 1, '\t') : NULL;
        if (!end) continue;
        comma(to);
        add(to, short_form + 1, (size_t)(end - short_form - 1));
    }
}

static void inspect(struct text *to, const char *project, char *lines, const char *id)
{
    (void)project;
    for (char *rest, *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (!strncmp(line, id, strlen(id)) && line[strlen(id)] == '\t') add(to, strrchr(line, '\t') + 1, strlen(strrchr(line, '\t') + 1));
}

static void network(struct text *to, const char *project, char *lines, const char *wanted)
{
    (void)lines, (void)wanted;
    comma(to);
    say(to, "{\"Name\":\"%s_default\",\"Id\":\"%s_default\",\"Driver\":\"bridge\"}", project, project);
}

// The engine remembers where lading keeps an app: docker.c has noted its user and folder
static void volume(struct text *to, const char *name, char *noted, const char *wanted)
{
    (void)wanted;
    char *folder = strchr(noted, ' ');
    if (!folder) return;
    *folder++ = 0;
    folder[strcspn(folder, "\n")] = 0;
    comma(to);
    say(to, "{\"Name\":\"%s\",\"Driver\":\"local\",\"Options\":null,\"Labels\":{\"lading.user\":\"%s\",\"lading.folder\":\"%s\"}}", name,
        noted, folder);
}

static void answer(struct caller *to, int status, const char *words, const char *body, size_t size)
{
    say(&to->answer, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status, words, size);
    add(&to->answer, body, size);
}

static void answer_text(struct caller *to, int status, const char *words, const char *body)
{
    answer(to, status, words, body, strlen(body));
}

static void note_unknown(const char *line)
{
    char path[2 * SIZE];
    snprintf(path, sizeof path, "%s/unknown", scene);
    FILE *file = fopen(path, "a");
    if (!file) return;
    fprintf(file, "unknown request: %.*s\n", (int)strcspn(line, "\r\n"), line);
    fclose(file);
}

static int hex(char letter) { return letter <= '9' ? letter - '0' : (letter | 32) - 'a' + 10; }

// A value of the query, unquoted; "" if it is not there
static const char *value(const char *query, const char *name)
{
    static char found[SIZE];
    size_t size = 0;
    const char *at = strstr(query, name);
    found[0] = 0;
    if (!at) return found;
    for (at += strlen(name); *at && *at != '&' && size + 1 < sizeof found; at++) {
        int is_quoted = *at == '%' && at[1] && at[2];
        found[size++] = is_quoted ? (char)(hex(at[1]) * 16 + hex(at[2])) : *at;
        if (is_quoted) at += 2;
    }
    found[size] = 0;
    return found;
}

// Whether a login holds the registry's password: in clear, or as the header has it, in the base64 of URLs
static int is_let_in(const char *login, int is_coded)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char clear[SIZE], path[2 * SIZE], *password;
    size_t size = 0;
    unsigned bits = 0, count = 0;
    snprintf(path, sizeof path, "%s/password", scene);
    password = content(path);
    password[strcspn(password, "\n")] = 0;
    if (!is_coded) return strstr(login, password) != NULL;
    for (const char *letter; *login && (letter = strchr(letters, *login)) && size + 1 < sizeof clear; login++) {
        bits = bits << 6 | (unsigned)(letter - letters);
        count += 6;
        if (count >= 8) clear[size++] = (char)(bits >> (count -= 8));
    }
    clear[size] = 0;
    return strstr(clear, password) != NULL;
}

static void image_path(char path[2 * SIZE], const char *home, const char *digest)
{
    const char *sum = strstr(digest, "sha256:");
    snprintf(path, 2 * SIZE, "%s/images/%.64s", home, sum ? sum + 7 : "none");
}

static void show_image(struct caller *to, const char *reference)
{
    char path[2 * SIZE], body[SIZE];
    image_path(path, to->home, reference);
    if (access(path, F_OK) != 0) {
        answer_text(to, 404, "Not Found", "{\"message\":\"No such image\"}");
        return;
    }
    snprintf(body, sizeof body, "{\"Id\":\"sha256:%.64s\",\"RepoTags\":[],\"Config\":{}}", strrchr(path, '/') + 1);
    answer_text(to, 200, "OK", body);
}

static void pull(struct caller *to, const char *query, const char *head)
{
    char path[2 * SIZE], folder[2 * SIZE];
    const char *login = strcasestr(head, "\r\nX-Registry-Auth: ");
    if (!login || !is_let_in(login + 19, 1)) {
        answer_text(to, 500, "Internal Server Error", "{\"message\":\"unauthorized\"}");
        return;
    }
    image_path(path, to->home, value(query, "tag="));
    snprintf(folder, sizeof folder, "%s/images", to->home);
    mkdir(folder, 0755);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    say(&to->answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    to->due = now() + SLOW;
    pulls++;
}

static void end_pull(struct caller *to)
{
    const char *line = "{\"status\":\"Status: Downloaded newer image\"}\r\n";
    to->due = 0;
    pulls--;
    say(&to->answer, "%zx\r\n%s\r\n0\r\n\r\n", strlen(line), line);
}

static void answer_list(struct caller *to, const char *before, const char *folder,
                        void (*show)(struct text *, const char *, char *, const char *), const char *wanted, const char *after)
{
    struct text body = {0};
    add(&body, before, strlen(before));
    each(to->home, folder, show, &body, wanted);
    add(&body, after, strlen(after));
    answer(to, 200, "OK", body.bytes, body.size);
    free(body.bytes);
}

// The project that a list of containers is asked for, "" = all; `filters` is {"label":["com.docker.compose.project=NAME"]}
static const char *project(const char *query)
{
    static char name[256];
    const char *at = strstr(value(query, "filters="), "com.docker.compose.project=");
    snprintf(name, sizeof name, "%.*s", at ? (int)strcspn(at + 27, "\"") : 0, at ? at + 27 : "");
    return name;
}

static void inspect_container(struct caller *to, const char *path)
{
    char id[256];
    struct text body = {0};
    snprintf(id, sizeof id, "%.*s", (int)strcspn(path, "/"), path);
    add(&body, "", 0);
    each(to->home, "containers", inspect, &body, id);
    if (body.size)
        answer(to, 200, "OK", body.bytes, body.size);
    else
        answer_text(to, 404, "Not Found", "{\"message\":\"No such container\"}");
    free(body.bytes);
}

static void show_info(struct caller *to)
{
    char body[3 * SIZE];
    snprintf(body, sizeof body,
             "{\"ServerVersion\":\"20.10.24\",\"ID\":\"%s\",\"Architecture\":\"x86_64\",\"DockerRootDir\":\"%s\",\"Runtimes\":{\"runc\":{}}}",
             strrchr(to->home, '/') + 1, to->home);
    answer_text(to, 200, "OK", body);
}

static int is(const char *line, const char *wanted) { return !strncmp(line, wanted, strlen(wanted)); }
static int ends(const char *path, const char *wanted)
{
    return strlen(path) >= strlen(wanted) && !strcmp(path + strlen(path) - strlen(wanted), wanted);
}

static int answer_question(struct caller *to, const char *path, const char *query)
{
    if (is(path, "/version"))
        answer_text(to, 200, "OK", "{\"Version\":\"20.10.24\",\"ApiVersion\":\"1.41\",\"MinAPIVersion\":\"1.12\",\"Components\":[{\"Name\":\"Engine\"}]}");
    else if (is(path, "/info"))
        show_info(to);
    else if (is(path, "/networks"))
        answer_list(to, "[{\"Name\":\"bridge\"},{\"Name\":\"host\"},{\"Name\":\"none\"}", "containers", network, "", "]");
    else if (!strcmp(path, "/volumes"))
        answer_list(to, "{\"Volumes\":[", "volumes", volume, "", "]}");
    else if (!strcmp(path, "/containers/json"))
        answer_list(to, "[", "containers", list, project(query), "]");
    else if (is(path, "/containers/") && ends(path, "/json"))
        inspect_container(to, path + strlen("/containers/"));
    else if (is(path, "/images/") && ends(path, "/json"))
        show_image(to, path);
    else if (is(path, "/events")) // nobody waits for one: a container is well as soon as it is up
        say(&to->answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    else
        return 0;
    return 1;
}

static int make_change(struct caller *to, const char *path, const char *query, const char *head, const char *body)
{
    if (is(path, "/images/create"))
        pull(to, query, head);
    else if (is(path, "/auth") && is_let_in(body, 0))
        answer_text(to, 200, "OK", "{\"Status\":\"Login Succeeded\"}");
    else if (is(path, "/auth"))
        answer_text(to, 401, "Unauthorized", "{\"message\":\"unauthorized\"}");
    else if (is(path, "/images/") && ends(path, "/tag"))
        answer_text(to, 201, "Created", "");
    else
        return 0;
    return 1;
}

// One request, whose head ends with a 0
static void take(struct caller *to, const char *head, const char *body)
{
    char method[16] = "", target[2 * SIZE] = "";
    sscanf(head, "%15s %8191s", method, target);
    char *path = target, *query = strchr(target, '?');
    if (query) *query++ = 0;
    if (is(path, "/v1.")) path += 1 + strcspn(path + 1, "/");
    int is_known = 0;
    if (!strcmp(method, "GET"))
        is_known = answer_question(to, path, query ? query : "");
    else if (!strcmp(method, "POST"))
        is_known = make_change(to, path, query ? query : "", head, body);
    else if (!strcmp(method, "DELETE") && is(path, "/images/")) {
        answer_text(to, 200, "OK", "[]");
        is_known = 1;
    }
    if (is_known) return;
    note_unknown(head);
    answer_text(to, 404, "Not Found", "{\"message\":\"page not found\"}");
}

// All requests that have come whole; while a pull is going on, what comes behind it waits
static void take_all(struct caller *from)
{
    size_t done = 0;
    while (!from->due) {
        char *head = from->asked + done;
        char *end = memmem(head, from->size - done, "\r\n\r\n", 4);
        if (!end) break;
        *end = 0;
        const char *told = strcasestr(head, "\r\nContent-Length: ");
        size_t length = told ? strtoul(told + 18, NULL, 10) : 0;
        size_t size = (size_t)(end - head) + 4;
        if (from->size - done < size + length) {
            *end = '\r';
            break;
        }
        char *body = head + size, kept = body[length];
        body[length] = 0;
        take(from, head, body);
        body[length] = kept;
        done += size + length;
    }
    memmove(from->asked, from->asked + done, from->size - done);
    from->size -= done;
}

static void leave(struct caller *one)
{
    struct caller **at = &callers;
    while (*at != one) at = &(*at)->next;
    *at = one->next;
    if (one->due) pulls--;
    close(one->stream);
    free(one->answer.bytes);
    free(one);
}

static int send_some(struct caller *to)
{
    while (to->sent < to->answer.size) {
        ssize_t count = send(to->stream, to->answer.bytes + to->sent, to->answer.size - to->sent, MSG_NOSIGNAL);
        if (count < 0) return errno == EAGAIN;
        to->sent += (size_t)count;
    }
    to->sent = to->answer.size = 0;
    return 1;
}

static void watch(struct caller *one, int how)
{
    struct epoll_event event = {.events = EPOLLIN | (one->sent < one->answer.size ? EPOLLOUT : 0), .data.ptr = one};
    epoll_ctl(events, how, one->stream, &event);
}

static int receive(struct caller *from)
{
    for (;;) {
        size_t room = ASKED - 1 - from->size;
        if (!room) return 0;
        ssize_t count = recv(from->stream, from->asked + from->size, room, 0);
        if (count == 0) return 0;
        if (count < 0) return errno == EAGAIN;
        from->size += (size_t)count;
    }
}

static void go_on(struct caller *one, int has_come)
{
    if (has_come && !receive(one)) {
        leave(one);
        return;
    }
    take_all(one);
    if (!send_some(one)) {
        leave(one);
        return;
    }
    watch(one, EPOLL_CTL_MOD);
}

// The address at which the process was called by SSH; 0 if it was not
static int find_address(pid_t process, char address[INET_ADDRSTRLEN])
{
    int held = (int)syscall(SYS_pidfd_open, process, 0), is_found = 0;
    for (int number = 0; held >= 0 && number < CALLERS_FILES && !is_found; number++) {
        struct sockaddr_in own;
        socklen_t size = sizeof own;
        int file = (int)syscall(SYS_pidfd_getfd, held, number, 0);
        if (file < 0) continue;
        is_found = !getsockname(file, (struct sockaddr *)&own, &size) && own.sin_family == AF_INET && ntohs(own.sin_port) == SSH;
        if (is_found) inet_ntop(AF_INET, &own.sin_addr, address, INET_ADDRSTRLEN);
        close(file);
    }
    if (held >= 0) close(held);
    return is_found;
}

static void let_in(int door)
{
    struct ucred who;
    socklen_t size = sizeof who;
    char address[INET_ADDRSTRLEN];
    int stream = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (stream < 0) return;
    if (getsockopt(stream, SOL_SOCKET, SO_PEERCRED, &who, &size) || !find_address(who.pid, address)) {
        note_unknown("a caller that did not come by SSH");
        close(stream);
        return;
    }
    struct caller *one = calloc(1, sizeof *one);
    if (!one) abort();
    one->stream = stream;
    snprintf(one->home, sizeof one->home, "%s/hosts/%s", scene, address);
    one->next = callers;
    callers = one;
    watch(one, EPOLL_CTL_ADD);
}

// End the pulls whose time has come; milliseconds until the next, -1 = there is none
static int end_pulls(void)
{
    long first = -1, time = now();
    for (struct caller *one = callers, *next; pulls && one; one = next) {
        next = one->next;
        if (!one->due) continue;
        if (one->due <= time) {
            end_pull(one);
            go_on(one, 0);
        } else if (first < 0 || one->due - time < first)
            first = one->due - time;
    }
    return (int)first;
}

int main(int count, char **words)
{
    if (count != 3) return 64;
    snprintf(scene, sizeof scene, "%s", words[1]);
    struct rlimit files = {65536, 65536};
    setrlimit(RLIMIT_NOFILE, &files);
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    snprintf(where.sun_path, sizeof where.sun_path, "%s", words[2]);
    int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(door, (struct sockaddr *)&where, sizeof where) || listen(door, 4096)) {
        perror(words[2]);
        return 1;
    }
    events = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event first = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(events, EPOLL_CTL_ADD, door, &first);
    for (;;) {
        struct epoll_event seen[1];
        if (epoll_wait(events, seen, 1, end_pulls()) < 1) continue;
        if (!seen->data.ptr)
            let_in(door);
        else
            go_on(seen->data.ptr, (seen->events & ~EPOLLOUT) != 0);
    }
}
