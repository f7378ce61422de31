"""Every way in which Azure says no, and what is to be done next."""

import json
from datetime import timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest
from azure.mgmt.core.exceptions import ARMErrorFormat
from reconciler.azure.failure import (
    AzureFailure,
    Conflict,
    Refused,
    Throttled,
    Unreachable,
    failure,
)
