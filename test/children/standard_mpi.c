/* A library of the standard ABI (MPI 5.0, appendix A) that is MPICH's underneath: `mpicc.mpich -shared -fPIC`. It takes the handles of the
   standard alone, whatever it is called with besides is an error of the caller. */
#include <mpi.h>
#include <stdint.h>

enum { BAD = 1 };

typedef const void *Handle;

#define STANDARD(name) __asm__("MPI_" #name)

static uintptr_t number(Handle handle) { return (uintptr_t)handle; }
static int is_world(Handle comm) { return number(comm) == 0x101; }
static MPI_Datatype type_of(Handle type) {
  switch (number(type)) {
    case 0x210: return MPI_FLOAT;
    case 0x214: return MPI_DOUBLE;
    case 0x247: return MPI_BYTE;
    default: return MPI_DATATYPE_NULL;
  }
}
static MPI_Op op_of(Handle op) { return number(op) == 0x21 ? MPI_SUM : number(op) == 0x23 ? MPI_MAX : MPI_OP_NULL; }

int standard_version(int *, int *) STANDARD(Abi_get_version);
int standard_version(int *major, int *minor) {
  *major = 1;
  *minor = 0;
  return 0;
}

/* 0, 1024, 2048, 4096 in place of 0, 1, 2, 3. */
int standard_init(int *, char ***, int, int *) STANDARD(Init_thread);
int standard_init(int *argc, char ***argv, int required, int *provided) {
  if (required != 2048) return BAD;
  const int code = PMPI_Init_thread(argc, argv, MPI_THREAD_SERIALIZED, provided);
  *provided *= 1024;
  return code;
}

int standard_rank(Handle, int *) STANDARD(Comm_rank);
int standard_rank(Handle comm, int *rank) { return is_world(comm) ? PMPI_Comm_rank(MPI_COMM_WORLD, rank) : BAD; }

int standard_size(Handle, int *) STANDARD(Comm_size);
int standard_size(Handle comm, int *size) { return is_world(comm) ? PMPI_Comm_size(MPI_COMM_WORLD, size) : BAD; }

int standard_allreduce(Handle, void *, int, Handle, Handle, Handle) STANDARD(Allreduce);
int standard_allreduce(Handle from, void *to, int count, Handle type, Handle op, Handle comm) {
  if (!is_world(comm)) return BAD;
  return PMPI_Allreduce(number(from) == 1 ? MPI_IN_PLACE : from, to, count, type_of(type), op_of(op), MPI_COMM_WORLD);
}

int standard_bcast(void *, int, Handle, int, Handle) STANDARD(Bcast);
int standard_bcast(void *bytes, int count, Handle type, int root, Handle comm) {
  return is_world(comm) ? PMPI_Bcast(bytes, count, type_of(type), root, MPI_COMM_WORLD) : BAD;
}

int standard_send(Handle, int, Handle, int, int, Handle) STANDARD(Send);
int standard_send(Handle bytes, int count, Handle type, int to, int tag, Handle comm) {
  return is_world(comm) ? PMPI_Send(bytes, count, type_of(type), to, tag, MPI_COMM_WORLD) : BAD;
}

int standard_recv(void *, int, Handle, int, int, Handle, void *) STANDARD(Recv);
int standard_recv(void *bytes, int count, Handle type, int from, int tag, Handle comm, void *status) {
  if (!is_world(comm) || status == 0) return BAD;
  return PMPI_Recv(bytes, count, type_of(type), from, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

int standard_abort(Handle, int) STANDARD(Abort);
int standard_abort(Handle comm, int code) { return is_world(comm) ? PMPI_Abort(MPI_COMM_WORLD, code) : BAD; }
