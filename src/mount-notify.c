// SPDX-License-Identifier: GPL-2.0-or-later
/* Tells the service manager how far it is, with a datagram to $NOTIFY_SOCKET: sd_notify(3) */
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "mount.h"

void mount_notify(const char *state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("NOTIFY_SOCKET");
	size_t size = path ? strlen(path) : 0;
	int fd;

	if (size < 2 || (path[0] != '/' && path[0] != '@') || size >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, path, size);
	if (path[0] == '@') /* of the abstract ones */
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) < 0)
		complain("cannot tell '%s' that it is ready", path);
	close(fd);
}
