"""evaluation-scheduler, put together."""

from evaluation_scheduler import api
from evaluation_scheduler.handlers import router
from evaluation_scheduler.settings import Settings
from oker_bus.service import Service

SERVICE = Service(
    name="evaluation-scheduler",
    package="evaluation_scheduler",
    settings=Settings,
    router=router,
    api=api.build,
)
