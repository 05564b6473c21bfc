"""The service, put together."""

from oker_bus.service import Service
from selection_scoring import api, store
from selection_scoring.fold import FOLDS
from selection_scoring.handlers import router
from selection_scoring.settings import Settings

SERVICE = Service(
    name="selection-scoring",
    package="selection_scoring",
    settings=Settings,
    router=router,
    api=api.build,
    background=(),
    fold=FOLDS,
    folded=store.metadata.sorted_tables,
)
