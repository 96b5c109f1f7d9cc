#!/usr/bin/env bash
# The dashboard in web/.
#
#   scripts/web.sh build   builds web/dist if its sources are newer
#   scripts/web.sh check   types, lint, and that the generated types are fresh
#   scripts/web.sh test    its own tests
#   scripts/web.sh schema  generates web/src/api/schema.d.ts from openapi.json
#
# Where there is no npm it says so and does nothing: Hearth builds with Go alone,
# and a page in the dashboard's place tells how to get it. In CI that is a failure.
set -euo pipefail
cd "$(dirname "$0")/../web"
what=${1:?build, check, test or schema}

if ! command -v npm >/dev/null 2>&1; then
  echo "web: there is no npm: the dashboard is left out (install npm, then make build)" >&2
  [ -z "${CI:-}" ] || exit 1
  exit 0
fi

# Installs the packages when the lock changed since.
packages() {
  local mark=node_modules/.installed
  cmp -s package-lock.json "$mark" && return
  echo "web: installing the dashboard's packages (once)" >&2
  npm ci --no-audit --no-fund --loglevel=error
  cp package-lock.json "$mark"
}

fresh() { # dist is newer than all it is made of
  [ -f dist/index.html ] && [ -z "$(find src public scripts index.html package-lock.json vite.config.ts mantine-styles.ts tsconfig.json -newer dist/index.html -print -quit)" ]
}

case $what in
  build)
    fresh && exit 0
    packages
    echo "web: building the dashboard" >&2
    npm run --silent build
    ;;
  check | test | schema)
    packages
    npm run --silent "$what"
    ;;
  *)
    echo "web: unknown command $what" >&2
    exit 2
    ;;
esac
