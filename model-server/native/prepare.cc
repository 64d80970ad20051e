// What a session is to be run for, and what its graph says of that.
#include <cstdlib>

#include "c-api.h"
#include "functions.h"
#include "node-api.h"

namespace aicity {

namespace {

Port FindPort(TF_Graph* graph, const std::string& name) {
  Port port;
  port.name = name;
  const size_t colon = name.rfind(':');
  const std::string operation = name.substr(0, colon);
  port.output.oper = TF_GraphOperationByName(graph, operation.c_str());
  port.output.index = colon == std::string::npos ? 0 : atoi(name.c_str() + colon + 1);
  if (!port.output.oper) Reject("the graph has no operation \"" + operation + "\"");
  if (port.output.index < 0 || port.output.index >= TF_OperationNumOutputs(port.output.oper)) {
    Reject("the operation \"" + operation + "\" has no output " + std::to_string(port.output.index));
  }
  port.type = TF_OperationOutputType(port.output);
  Status status = NewStatus();
  const int rank = TF_GraphGetTensorNumDims(graph, port.output, status.get());
  Check(status);
  port.ranked = rank >= 0;
  if (rank > 0) {
    port.shape.resize(rank);
    TF_GraphGetTensorShape(graph, port.output, port.shape.data(), rank, status.get());
    Check(status);
  }
  return port;
}

// The output of an operation that is added to the graph and reads the variable of that name.
Port AddRead(TF_Graph* graph, const std::string& variable) {
  TF_Operation* const handle = TF_GraphOperationByName(graph, variable.c_str());
  if (!handle) Reject("the graph has no operation \"" + variable + "\"");
  Status status = NewStatus();
  TF_DataType type;
  TF_OperationGetAttrType(handle, "dtype", &type, status.get());
  Check(status);
  const std::string name = variable + "/aicity_read";
  TF_OperationDescription* const read = TF_NewOperation(graph, "ReadVariableOp", name.c_str());
  TF_AddInput(read, {handle, 0});
  TF_SetAttrType(read, "dtype", type);
  TF_FinishOperation(read, status.get());
  Check(status);
  return FindPort(graph, name);
}

napi_value ToPorts(napi_env env, const std::vector<Port>& ports) {
  napi_value array;
  Ok(napi_create_array_with_length(env, ports.size(), &array));
  for (size_t i = 0; i < ports.size(); i++) {
    napi_value object, type, shape;
    Ok(napi_create_object(env, &object));
    Ok(napi_create_int32(env, ports[i].type, &type));
    if (ports[i].ranked) {
      shape = ToArray(env, ports[i].shape);
    } else {
      Ok(napi_get_null(env, &shape));
    }
    SetProperty(env, object, "dataType", type);
    SetProperty(env, object, "shape", shape);
    Ok(napi_set_element(env, array, i, object));
  }
  return array;
}

}  // namespace

napi_value Prepare(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[3];
    Arguments(env, info, arguments);
    auto callable = std::make_shared<Callable>();
    const std::shared_ptr<Session> session = FromHandle<Session>(env, arguments[0]);
    if (!session) Reject("the session is closed");
    callable->session = session;
    TF_Graph* graph = session->graph;
    for (const auto& name : ToStrings(env, arguments[1])) callable->inputs.push_back(FindPort(graph, name));
    for (const auto& name : ToStrings(env, arguments[2])) callable->outputs.push_back(FindPort(graph, name));
    return Handle(env, callable);
  });
}

napi_value PrepareReads(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[2];
    Arguments(env, info, arguments);
    auto callable = std::make_shared<Callable>();
    const std::shared_ptr<Session> session = FromHandle<Session>(env, arguments[0]);
    if (!session) Reject("the session is closed");
    callable->session = session;
    for (const auto& name : ToStrings(env, arguments[1])) {
      callable->outputs.push_back(AddRead(session->graph, name));
    }
    return Handle(env, callable);
  });
}

napi_value Describe(napi_env env, napi_callback_info info) {
  return Guard(env, [=] {
    napi_value arguments[1];
    Arguments(env, info, arguments);
    const Callable& callable = *FromHandle<Callable>(env, arguments[0]);
    napi_value object;
    Ok(napi_create_object(env, &object));
    SetProperty(env, object, "inputs", ToPorts(env, callable.inputs));
    SetProperty(env, object, "outputs", ToPorts(env, callable.outputs));
    return object;
  });
}

}  // namespace aicity
