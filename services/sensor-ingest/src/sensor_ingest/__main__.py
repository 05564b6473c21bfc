"""`python -m sensor_ingest [serve|migrate]`."""

from oker_bus.service import main
from sensor_ingest.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
