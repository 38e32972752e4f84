# busybox.sh BASE DIR : a root of busybox, sshd and the libraries sshd needs.
base=$1 root=$2
box=$(command -v busybox) || { echo "needs busybox-static"; exit 1; }
mkdir -p "$root/bin" "$root/sbin" "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib/openssh" "$root/etc/ssh" "$root/etc/pam.d" \
  "$root/root" "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/var/log" "$root/var/tmp" "$root/tmp" "$root/srv/small" "$root/home" "$root/lib"
chmod 1777 "$root/tmp" "$root/var/tmp"; chmod 700 "$root/root"
cp "$box" "$root/bin/busybox"
if chroot "$root" /bin/busybox true; then :; else echo "busybox is not static"; exit 1; fi
chroot "$root" /bin/busybox --install -s /bin
for f in usr/sbin/sshd usr/lib/openssh/sftp-server usr/lib/openssh/sshd-session usr/lib/openssh/sshd-auth; do
  [ -e "$base/$f" ] || continue
  cp "$base/$f" "$root/$f"
  chroot "$base" ldd "/$f" | sed -n 's/.*[ \t]\(\/[^ ]*\) (.*/\1/p' | while read -r lib; do
    mkdir -p "$root${lib%/*}"; cp -L "$base$lib" "$root$lib"
  done
done
for lib in "$base"/lib/*-linux-gnu/libnss_files.so.2 "$base"/lib/*-linux-gnu/libnss_dns.so.2; do
  [ -e "$lib" ] || continue
  dir=${lib#"$base"}; dir=${dir%/*}; mkdir -p "$root$dir"; cp -L "$lib" "$root$dir/"
done
printf 'root:x:0:0:root:/root:/bin/sh\nsshd:x:101:65534::/run/sshd:/bin/false\nnobody:x:65534:65534:nobody:/:/bin/false\n' > "$root/etc/passwd"
printf 'root:*:19000:0:99999:7:::\nsshd:!:19000:0:99999:7:::\n' > "$root/etc/shadow"; chmod 640 "$root/etc/shadow"
printf 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' > "$root/etc/group"
printf 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n' > "$root/etc/nsswitch.conf"
printf 'Include /etc/ssh/sshd_config.d/*.conf\nUsePAM no\nSubsystem sftp /usr/lib/openssh/sftp-server\n' > "$root/etc/ssh/sshd_config"
mkdir -p "$root/etc/ssh/sshd_config.d"
echo 'NAME="busybox"' > "$root/etc/os-release"
