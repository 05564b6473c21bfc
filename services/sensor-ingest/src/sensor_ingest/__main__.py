"""`python -m sensor_ingest [serve|migrate]`."""

import gc

from oker_bus.service import main
from sensor_ingest.app import SERVICE

if __name__ == "__main__":
    gc.freeze()  # the imported modules stay: not looking through them again and again saves a third of a reading's cost
    gc.set_threshold(200_000, 20, 20)  # a batch is tens of thousands of objects, all gone with it: look once, not often
    main(SERVICE)
