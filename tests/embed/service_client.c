/*
 * service_client.c — sends standard input to a Unix socket and copies what comes back, as `nc -NU` does: for scripts, on
 * machines without it. Waits ten seconds for the socket to be there.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void *send_input(void *context)
{
    int fd = *(int *)context;
    char bytes[65536];
    ssize_t count;
    while ((count = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
        for (ssize_t sent = 0, part; sent < count; sent += part)
            if ((part = send(fd, bytes + sent, (size_t)(count - sent), MSG_NOSIGNAL)) <= 0)
                return NULL;
    (void)shutdown(fd, SHUT_WR);
    return NULL;
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    strcpy(address.sun_path, argv[1]);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    for (int i = 0; connect(fd, (struct sockaddr *)&address, sizeof address) != 0; i++) {
        if (i == 1000)
            return 1;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    pthread_t sender;
    char bytes[65536];
    ssize_t count;
    if (pthread_create(&sender, NULL, send_input, &fd) != 0)
        return 1;
    while ((count = recv(fd, bytes, sizeof bytes, 0)) > 0)
        if (fwrite(bytes, 1, (size_t)count, stdout) != (size_t)count)
            return 1;
    pthread_join(sender, NULL);
    return 0;
}
