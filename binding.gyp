# What `npm install`, node-gyp-build and prebuildify build. CMakeLists.txt builds the same sources for development.
# No -Werror here but for a missing case: a compiler newer than ours must not break somebody's installation.
{
  "targets": [{
    "target_name": "dladmm",
    "sources": ["<!@(node -p \"const s = require('./native/sources.json'); [...s.core, ...s.addon].join(' ')\")"],
    "include_dirs": ["native", "<!@(node native/openblas.cjs include)"],
    "dependencies": ["<!(node -p \"require('node-addon-api').targets\"):node_addon_api_except_all"],
    "defines": [
      "NDEBUG",
      # 8 is what every supported Node has; more would crash at run time on Node 20.
      "NAPI_VERSION=8",
      "NODE_ADDON_API_DISABLE_DEPRECATED",
      # Without it, worker.terminate() with work in flight aborts the whole process.
      "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
      "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED",
      "<!@(node native/openblas.cjs defines)"
    ],
    "cflags_cc!": ["-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
    # openmp-simd makes `#pragma omp simd` count, without OpenMP's library.
    "cflags_cc": [
      "-std=c++20", "-O3", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math",
      "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-ffunction-sections", "-fdata-sections",
      "-Wall", "-Wextra", "-Werror=switch"
    ],
    "libraries": ["<!@(node native/openblas.cjs libs)"],
    "conditions": [
      # nodelete: Node unloads an addon with the last worker that loaded it, while OpenBLAS' threads may still run.
      # The map's path is as seen from build/, where make runs: a path to here may hold a space.
      ["OS=='linux'", {
        "ldflags": ["-Wl,-z,nodelete", "-Wl,--version-script=../native/exports.map", "<!@(node native/openblas.cjs link)"]
      }],
      ["OS=='mac'", {
        "xcode_settings": {
          "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
          "CLANG_CXX_LIBRARY": "libc++",
          "MACOSX_DEPLOYMENT_TARGET": "11.0",
          "GCC_OPTIMIZATION_LEVEL": "3",
          "GCC_ENABLE_CPP_RTTI": "YES",
          "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
          "OTHER_CPLUSPLUSFLAGS": ["-Werror=switch", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"]
        }
      }]
    ]
  }]
}
