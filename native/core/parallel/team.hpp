// Left until nobody includes it any more: the team is core/runtime/team.hpp.
#pragma once

#include "core/runtime/team.hpp"
