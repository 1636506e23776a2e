-- How Argo CD reads the health of a federated object: from its condition Ready, and of a
-- cluster where something is wrong from status.clusters. It is the same for every federated
-- type: see argocd-cm.yaml beside this file.
local hs = { status = "Progressing", message = "the control plane has not seen it yet" }
local status = obj.status
if status == nil or status.conditions == nil then
  return hs
end
if obj.metadata.generation ~= nil and status.observedGeneration ~= nil and status.observedGeneration < obj.metadata.generation then
  hs.message = "generation " .. tostring(obj.metadata.generation) .. " has not been observed yet"
  return hs
end

local ready
for _, condition in ipairs(status.conditions) do
  if condition.type == "Ready" then
    ready = condition
  end
end
if ready == nil then
  return hs
end
hs.message = ready.message or ready.reason or ""

if ready.status == "True" then
  hs.status = "Healthy"
  if ready.reason == "Suspended" then
    hs.status = "Suspended"
  end
elseif ready.status == "Unknown" then
  hs.status = "Unknown"
elseif ready.reason == "Progressing" then
  hs.status = "Progressing"
elseif ready.reason == "NoClusters" then
  hs.status = "Suspended"
else
  hs.status = "Degraded"
end
return hs
