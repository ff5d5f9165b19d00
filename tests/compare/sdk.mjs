// sdk.mjs - regenerates the Primary key with Azure's SDK for JavaScript: @azure/identity,
// @azure/arm-machinelearning. The pause between polls is removed: by default it is 2 s if the
// service names none.
import { AzureMachineLearningWorkspaces } from "@azure/arm-machinelearning";
import { EnvironmentCredential } from "@azure/identity";

const [, , subscription, , group, , , , workspace, , endpoint] = process.env.ENDPOINT_ID.split("/");
const client = new AzureMachineLearningWorkspaces(new EnvironmentCredential(), subscription, {
  apiVersion: "2025-09-01",
});
await client.onlineEndpoints.beginRegenerateKeysAndWait(
  group, workspace, endpoint, { keyType: "Primary" }, { updateIntervalInMs: 0 });
