"""What each worker process imports when there are several: the application of the file that CROSSDOCK_CONFIG names."""

import os
from pathlib import Path

from gateway.app import create_app
from gateway.config import load_settings
from gateway.serving import settled, start_logging

_settings = load_settings(Path(os.environ["CROSSDOCK_CONFIG"]))
start_logging(_settings)
app = create_app(_settings)
settled()
