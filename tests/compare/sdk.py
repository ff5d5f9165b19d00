# sdk.py - regenerates the Primary key with Azure's SDK for Python: azure-identity,
# azure-mgmt-machinelearningservices. The pause between polls is removed: by default it is 30 s if
# the service names none, or 0.

import os

from azure.identity import EnvironmentCredential
from azure.mgmt.machinelearningservices import MachineLearningServicesMgmtClient

_, _, subscription, _, group, _, _, _, workspace, _, endpoint = os.environ["ENDPOINT_ID"].split("/")
client = MachineLearningServicesMgmtClient(
    EnvironmentCredential(), subscription, api_version="2025-09-01"
)
client.online_endpoints.begin_regenerate_keys(
    group, workspace, endpoint, {"keyType": "Primary"}, polling_interval=0
).result()
