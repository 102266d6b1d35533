/* Open-loop load: requests leave when they are due, whether or not earlier ones were answered.
 *
 *   openloop PORT PATH BODIES RATE SECONDS SEED
 *
 * BODIES is a file with one JSON body a line. Arrivals are a Poisson process of RATE a second.
 * A latency counts from when its request was due, so that a server that stalls is charged for
 * everybody who would have come meanwhile (wrk, whose connections wait for their answers, sends
 * nothing then: "coordinated omission"). Prints one JSON object.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 512, BUFFER = 1 << 20 };

struct connection {
    int fd;
    int busy;
    double due; /* of the request under way */
    char *answer;
    size_t have;
};

static struct connection connections[CONNECTIONS];
static int idle[CONNECTIONS], idle_count;
static int epoll, port;
static double *latencies;
static long answered, failed;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The length of the whole answer in `text`, or 0 while its head is not there. */
static size_t answer_length(char *text, size_t have) {
    text[have] = 0;
    char *end = strstr(text, "\r\n\r\n");
    char *length = end ? strcasestr(text, "content-length:") : NULL;
    if (!end) return 0;
    if (!length || length > end) {
        fputs("openloop: an answer without Content-Length\n", stderr);
        exit(1);
    }
    return end + 4 - text + strtoul(length + 15, NULL, 10);
}

static void open_connection(struct connection *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) die("openloop: connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event);
}

static void finish(struct connection *c, int well) {
    if (well)
        latencies[answered++] = now() - c->due;
    else
        failed++;
    c->have = c->busy = 0;
    idle[idle_count++] = c - connections;
}

static void receive(struct connection *c) {
    for (;;) {
        ssize_t got = read(c->fd, c->answer + c->have, BUFFER - 1 - c->have);
        if (got < 0 && errno == EAGAIN) return;
        if (got <= 0) { /* servers close connections that were idle for a while */
            close(c->fd);
            open_connection(c);
            if (c->busy) finish(c, 0);
            return;
        }
        c->have += got;
        size_t length = answer_length(c->answer, c->have);
        if (length && c->have >= length) {
            finish(c, strncmp(c->answer + 9, "200", 3) == 0);
            return;
        }
    }
}

static void send_request(struct connection *c, const char *request, size_t length, double due) {
    c->due = due;
    c->busy = 1;
    while (length) {
        ssize_t sent = write(c->fd, request, length);
        if (sent < 0 && errno != EAGAIN) return; /* closed: the next read tells */
        if (sent > 0) request += sent, length -= sent;
    }
}

/* One HTTP request for each line of the file. */
static char **read_requests(const char *path, const char *bodies, long *count) {
    FILE *file = fopen(bodies, "r");
    if (!file) die(bodies);
    char **requests = NULL, *line = NULL;
    size_t room = 0;
    ssize_t length;
    for (*count = 0; (length = getline(&line, &room, file)) > 0; ++*count) {
        if (line[length - 1] == '\n') line[--length] = 0;
        requests = realloc(requests, (*count + 1) * sizeof *requests);
        if (asprintf(&requests[*count],
                     "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zd\r\n\r\n%s", path, length, line) < 0) die("openloop");
    }
    fclose(file);
    return requests;
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fputs("usage: openloop PORT PATH BODIES RATE SECONDS SEED\n", stderr);
        return 2;
    }
    double rate = atof(argv[4]), seconds = atof(argv[5]);
    long kinds, arrivals = 0, waiting = 0;
    char **requests = read_requests(argv[2], argv[3], &kinds);
    long most = (long)(rate * seconds * 1.5) + 1000;
    double *due = malloc(most * sizeof *due);
    latencies = malloc(most * sizeof *latencies);
    srand48(atol(argv[6]));
    for (double t = 0; arrivals < most && (t += -log(1 - drand48()) / rate) < seconds;)
        due[arrivals++] = t;

    port = atoi(argv[1]);
    epoll = epoll_create1(0);
    for (int i = 0; i < CONNECTIONS; i++) {
        connections[i].answer = malloc(BUFFER);
        open_connection(&connections[i]);
        idle[idle_count++] = i;
    }
    double begin = now();
    while (answered + failed < arrivals && now() - begin < seconds + 60) {
        while (waiting < arrivals && idle_count && begin + due[waiting] <= now()) {
            struct connection *c = &connections[idle[--idle_count]];
            char *request = requests[waiting % kinds];
            send_request(c, request, strlen(request), begin + due[waiting++]);
        }
        struct epoll_event events[64];
        int pause = 1000;
        if (waiting < arrivals && idle_count) {
            double left = begin + due[waiting] - now();
            pause = left < 0.0005 ? 0 : (int)(left * 1000);
        }
        int ready = epoll_wait(epoll, events, 64, pause);
        for (int i = 0; i < ready; i++) receive(events[i].data.ptr);
    }
    qsort(latencies, answered, sizeof *latencies, ascending);
    printf("{\"sent\": %ld, \"answered\": %ld, \"failed\": %ld, \"seconds\": %.3f", waiting, answered,
           failed, now() - begin);
    double parts[] = {0.5, 0.9, 0.95, 0.99, 0.999};
    for (int i = 0; i < 5 && answered; i++)
        printf(", \"p%g\": %.3f", parts[i] * 100, latencies[(long)(parts[i] * (answered - 1))] * 1000);
    puts("}");
    return 0;
}
