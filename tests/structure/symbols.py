#!/usr/bin/env python3
"""No PURE archive may call what reaches the clock, the network, threads, files or chance.

The layer link test cannot see these: every program links the C and C++ libraries they are in.
usage: symbols.py ARCHIVE...
"""
import re
import subprocess
import sys

# (symbol as `nm -C` prints it, why)
FORBIDDEN = [
    (r"(socket|connect|bind|listen|accept4?|send(to|msg|mmsg)?|recv(from|msg|mmsg)?|getaddrinfo|"
     r"poll|select|epoll_\w+)", "sockets are the shell's"),
    (r"(clock_gettime|gettimeofday|time|nanosleep|usleep|sleep)|std::chrono::_V2::.*::now\(\)",
     "time is an input"),
    (r"(pthread_(create|mutex_lock|cond_wait|rwlock_\w+)|std::(this_)?thread::.*|"
     r"std::condition_variable::.*)", "one strand owns all cores"),
    (r"(open(at|64)?|creat|fopen(64)?|unlink|rename|mkdir|opendir|stat|std::basic_[io]?f"
     r"stream<.*|std::filesystem::.*)", "files are the shell's"),
    (r"(getrandom|rand|random|drand48|getentropy|randombytes_\w+|std::random_device::.*)",
     "chance is an input"),
    (r"(system|fork|execve?|posix_spawnp?|getenv|setenv)", "processes are the shell's"),
]


def offences(archive):
    listing = subprocess.run(["nm", "-C", "--undefined-only", archive], capture_output=True,
                             text=True, check=True).stdout
    member = ""
    for line in listing.splitlines():
        if line.endswith(":"):
            member = line[:-1]
        match = re.match(r"\s+U (.*?)(@.*)?$", line)
        for pattern, why in FORBIDDEN if match else []:
            if re.fullmatch(pattern, match[1]):
                yield f"{archive}: {member} calls {match[1]}: {why}"


def main():
    found = [offence for archive in sys.argv[1:] for offence in offences(archive)]
    print("\n".join(found))
    print(f"{len(sys.argv) - 1} archives, {len(found)} violations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
