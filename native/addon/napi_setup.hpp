// The only place that includes <napi.h>, so that every file of the addon sees it with the same settings.
#pragma once

#include <napi.h>
