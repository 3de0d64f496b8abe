# Functions of the scripts that boot a system in namespaces of its own; to be read by ".".

# Mounts what every system has below a directory: fill_system ROOT
fill_system() {
    mount -t proc proc "$1/proc"
    mount -t sysfs sysfs "$1/sys"
    mount -t tmpfs -o mode=755 tmpfs "$1/dev"
    for node in null:3 zero:5 full:7 random:8 urandom:9; do
        mknod -m 666 "$1/dev/${node%:*}" c 1 "${node#*:}"
    done
    mkdir "$1/dev/pts" "$1/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
    ln -s pts/ptmx "$1/dev/ptmx"
    ln -s /proc/self/fd "$1/dev/fd"
}

# Becomes systemd, with a directory as its root: boot_system ROOT OPTIONS...
boot_system() {
    mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
    # In a container, systemd does not.
    [ ! -d "$1/sys/fs/bpf" ] || mount -t bpf bpf "$1/sys/fs/bpf"
    mkdir -p "$1/old"
    cd "$1"
    shift
    pivot_root . old
    umount -l /old
    exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --show-status=no "$@" </dev/null
}
