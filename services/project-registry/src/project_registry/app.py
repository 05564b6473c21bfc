"""The service, put together."""

from oker_bus.service import Service
from project_registry import api
from project_registry.handlers import router
from project_registry.settings import Settings

SERVICE = Service(
    name="project-registry",
    package="project_registry",
    settings=Settings,
    router=router,
    api=api.build,
    background=(),
)
