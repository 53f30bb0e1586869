#include "bindings/tensor.h"

#include <string>
#include <utility>
#include <vector>

namespace py = pybind11;

namespace kgf::bindings {
namespace {

// What is used of DLPack's C exchange table, which newer torch has: it fills in a description of a tensor
// in a few nanoseconds, where reading five attributes takes a quarter of a microsecond.
// Source: dlpack.h 1.3, struct DLPackExchangeAPI.
struct DlTensor {
  void* data;
  struct {
    int32_t type, id;
  } device;
  int32_t rank;
  struct {
    uint8_t code, bits;
    uint16_t lanes;
  } dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
};

struct DlExchange {
  struct {
    uint32_t major, minor;
  } version;
  void* previous;
  void* allocate;
  void* from_object;
  void* to_object;
  int (*view)(void* object, DlTensor* out);
};

constexpr int32_t dl_cpu = 1, dl_cuda = 2;

// The table of a tensor's type, null where it has none that is understood here.
const DlExchange* exchange_of(PyTypeObject* type) {
  static std::vector<std::pair<PyTypeObject*, const DlExchange*>> known;
  for (const auto& [object, table] : known) {
    if (object == type) return table;
  }
  const DlExchange* table = nullptr;
  const py::handle handle(reinterpret_cast<PyObject*>(type));
  if (py::hasattr(handle, "__dlpack_c_exchange_api__")) {
    const py::object capsule = handle.attr("__dlpack_c_exchange_api__");
    table =
        static_cast<const DlExchange*>(PyCapsule_GetPointer(capsule.ptr(), "dlpack_exchange_api"));
    if (!table) throw py::error_already_set();
    if (table->version.major != 1 || !table->view) table = nullptr;
  }
  known.emplace_back(reinterpret_cast<PyTypeObject*>(handle.inc_ref().ptr()), table);
  return table;
}

bool has_dtype(const DlTensor& view, DType* dtype) {
  if (view.dtype.lanes != 1) return false;
  switch (view.dtype.code << 8 | view.dtype.bits) {  // codes: 0 signed, 1 unsigned, 2 floating
    case 0 << 8 | 64: *dtype = DType::int64; return true;
    case 1 << 8 | 8: *dtype = DType::uint8; return true;
    case 2 << 8 | 32: *dtype = DType::float32; return true;
    case 2 << 8 | 64: *dtype = DType::float64; return true;
    default: return false;
  }
}

bool is_contiguous(const DlTensor& view) {
  for (int axis = 0; axis < view.rank; ++axis) {
    if (view.shape[axis] == 0) return true;
  }
  int64_t expected = 1;
  for (int axis = view.rank - 1; axis >= 0; --axis) {
    if (view.shape[axis] != 1 && view.strides[axis] != expected) return false;
    expected *= view.shape[axis];
  }
  return true;
}

// Fills in `array` if the table describes the tensor as one that needs no words of refusal.
bool take(const DlExchange& table, py::handle tensor, Array* array) {
  DlTensor view;
  if (table.view(tensor.ptr(), &view) != 0) {
    PyErr_Clear();
    return false;
  }
  if (view.device.type != dl_cpu && view.device.type != dl_cuda) return false;
  if (view.rank > max_rank || !has_dtype(view, &array->dtype) || !is_contiguous(view)) return false;
  array->data = static_cast<char*>(view.data) + view.byte_offset;
  array->device = view.device.type == dl_cuda ? view.device.id : host;
  array->rank = view.rank;
  for (int axis = 0; axis < view.rank; ++axis) array->shape[axis] = view.shape[axis];
  return true;
}

// dtype objects are few and live for ever, so their identity stands for their name.
DType dtype_of(py::handle dtype, const char* argument) {
  static std::vector<std::pair<PyObject*, DType>> known;
  for (const auto& [object, value] : known) {
    if (object == dtype.ptr()) return value;
  }
  const std::string text = py::str(dtype);
  for (DType value : {DType::uint8, DType::int64, DType::float32, DType::float64}) {
    if (text == std::string("torch.") + name(value)) {
      known.emplace_back(dtype.inc_ref().ptr(), value);
      return value;
    }
  }
  throw Error(concat(argument, " must be uint8, int64, float32 or float64, got ", text));
}

// By the tensor's attributes: older torch, and every refusal.
Array read(py::handle tensor, const char* argument) {
  Array array;
  const py::object device = tensor.attr("device");
  const std::string kind = py::str(device.attr("type"));
  KGF_CHECK(kind == "cpu" || kind == "cuda", argument,
            " must be in the memory of the CPU or of a CUDA device, got a tensor on device ",
            std::string(py::str(device)));
  if (kind == "cuda") array.device = device.attr("index").cast<int>();
  // Fails for tensors of other layouts, such as sparse ones, and for those that only trace.
  array.data = PyLong_AsVoidPtr(tensor.attr("data_ptr")().ptr());
  if (PyErr_Occurred()) throw py::error_already_set();
  KGF_CHECK(tensor.attr("is_contiguous")().cast<bool>(), argument, " must be contiguous");
  array.dtype = dtype_of(tensor.attr("dtype"), argument);
  const py::tuple shape = tensor.attr("shape");
  array.rank = static_cast<int>(shape.size());
  KGF_CHECK(array.rank <= max_rank, argument, " must have at most ", max_rank, " axes, got ",
            array.rank);
  for (int axis = 0; axis < array.rank; ++axis) array.shape[axis] = shape[axis].cast<int64_t>();
  return array;
}

}  // namespace

Array array_of(py::handle tensor, const char* argument) {
  Array array;
  const DlExchange* table = exchange_of(Py_TYPE(tensor.ptr()));
  if (!table || !take(*table, tensor, &array)) {
    try {
      array = read(tensor, argument);
    } catch (py::error_already_set& error) {
      if (!error.matches(PyExc_Exception)) throw;  // such as KeyboardInterrupt
      const std::string words = py::str(error.value());
      throw Error(concat(argument, " must be a dense tensor whose memory can be read, got ",
                         Py_TYPE(tensor.ptr())->tp_name, ": ", words.substr(0, words.find('\n'))));
    }
  }
  KGF_CHECK(array.data != nullptr || array.size() == 0, argument,
            " must have memory of its own, got a ", Py_TYPE(tensor.ptr())->tp_name,
            " without any: ", describe(array));
  return array;
}

}  // namespace kgf::bindings
