# chroot.sh LOWER UPPER SCRIPT ARGS... : runs SCRIPT inside LOWER, or inside an overlay of it that writes to UPPER.
lower=$1 upper=$2 script=$3; shift 3
root=$lower
if [ -n "$upper" ]; then
  mkdir "$upper.work" "$upper.root"
  mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$upper.work" "$upper.root"
  root=$upper.root
fi
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
cp /etc/resolv.conf "$root/etc/resolv.conf"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"; chmod 755 "$root/usr/sbin/policy-rc.d"
chroot "$root" sh -euc "$script" script "$@"
rm "$root/usr/sbin/policy-rc.d"
umount "$root/proc" "$root/run" "$root/tmp"
if [ -n "$upper" ]; then
  umount "$root"
  rm -rf "$upper.work"; rmdir "$upper.root"
fi
