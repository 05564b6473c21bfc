"""``python -m selection_scoring serve`` or ``migrate``."""

from oker_bus.service import main
from selection_scoring.app import SERVICE

if __name__ == "__main__":
    main(SERVICE)
