#!/bin/sh
# One role and one database a service; run once by the postgres image, on an empty data folder.
set -eu
database() {
  role=$1 password=$2
  name=$(echo "$role" | tr - _)
  psql --set ON_ERROR_STOP=1 --set role="$role" --set name="$name" --set password="$password" \
    --username "$POSTGRES_USER" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"role";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}
database sensor-ingest "$SENSOR_INGEST_PASSWORD"
database project-registry "$PROJECT_REGISTRY_PASSWORD"
database selection-scoring "$SELECTION_SCORING_PASSWORD"
database evaluation-scheduler "$EVALUATION_SCHEDULER_PASSWORD"
database notification "$NOTIFICATION_PASSWORD"
