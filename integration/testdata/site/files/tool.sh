#!/bin/sh
# prints the name of the service it is called for
name=${1:-none}
echo "service $name"
