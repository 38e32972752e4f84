# layer.sh PACKAGES... : adds Debian packages.
apt-get -q -y --no-install-recommends install "$@"
apt-get -q clean
