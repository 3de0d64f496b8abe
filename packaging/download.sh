#!/bin/sh
# Downloads what a build needs, by the hashes of the locks, into /build/wheels. Runs in the build root.
set -eu
cd /build/geofence
for lock in requirements requirements-build requirements-release; do
    python3 -m pip --disable-pip-version-check download --quiet --require-hashes \
        --only-binary=:all: --dest /build/wheels -r "$lock.lock"
done
