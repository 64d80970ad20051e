// The functions that JavaScript sees; session.cc says what each takes and gives.
#pragma once

#include <node_api.h>

namespace aicity {

napi_value Load(napi_env env, napi_callback_info info);
napi_value ImportGraph(napi_env env, napi_callback_info info);
napi_value Close(napi_env env, napi_callback_info info);
napi_value Prepare(napi_env env, napi_callback_info info);
napi_value PrepareReads(napi_env env, napi_callback_info info);
napi_value Describe(napi_env env, napi_callback_info info);
napi_value Run(napi_env env, napi_callback_info info);
napi_value RunWide(napi_env env, napi_callback_info info);
napi_value RunNow(napi_env env, napi_callback_info info);

}  // namespace aicity
