"""``python -m evaluation_scheduler serve`` or ``migrate``."""

from evaluation_scheduler.app import SERVICE
from oker_bus.service import main

if __name__ == "__main__":
    main(SERVICE)
