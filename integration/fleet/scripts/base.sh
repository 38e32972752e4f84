# base.sh PASSWORD : accounts, sudo, and nothing that works behind a test's back.
password=$1
apt-get -q update
apt-get -q -y --no-install-recommends upgrade
apt-get -q clean
useradd -m -s /bin/bash op
useradd -m -s /bin/bash admin
useradd -m -s /bin/rbash restricted
for u in op admin restricted; do echo "$u:$password" | chpasswd; done
echo 'op ALL=(ALL:ALL) ALL' > /etc/sudoers.d/op
echo 'admin ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/admin
chmod 440 /etc/sudoers.d/op /etc/sudoers.d/admin
rm -f /etc/ssh/ssh_host_*
mkdir -p /srv/small /etc/systemd/system/ssh.service.d
printf '[Service]\nType=simple\nExecStartPre=\nExecStart=\nExecStart=/usr/sbin/sshd -D -E /run/sshd.log\n' > /etc/systemd/system/ssh.service.d/fleet.conf
for u in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer \
         systemd-networkd-wait-online.service systemd-resolved.service systemd-timesyncd.service \
         getty@tty1.service console-getty.service systemd-udevd.service systemd-udev-trigger.service; do
  ln -sf /dev/null "/etc/systemd/system/$u"
done
printf '%s\n' 'en_US.UTF-8 UTF-8' > /etc/locale.gen
touch /etc/.updated /var/.updated
echo 00000000000000000000000000000001 > /etc/machine-id
! command -v python3
