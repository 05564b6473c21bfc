"""``python -m notification serve`` or ``migrate``."""

from notification.app import SERVICE
from oker_bus.service import main

if __name__ == "__main__":
    main(SERVICE)
