"""notification, put together."""

from notification import api, gateway
from notification.handlers import router
from notification.settings import Settings
from oker_bus.service import Service

SERVICE = Service(
    name="notification",
    package="notification",
    settings=Settings,
    router=router,
    api=api.build,
    background=(gateway.send_mails,),
)
