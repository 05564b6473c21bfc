"""``python -m project_registry serve`` or ``migrate``."""

from oker_bus.service import main
from project_registry.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
