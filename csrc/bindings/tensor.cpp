#include "bindings/tensor.h"

#include <string>
#include <vector>

namespace py = pybind11;

namespace kgf::bindings {
namespace {

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

}  // namespace

Array array_of(py::handle tensor, const char* argument) {
  static PyObject* const data_ptr = PyUnicode_InternFromString("data_ptr");
  static PyObject* const shape_name = PyUnicode_InternFromString("shape");
  static PyObject* const dtype_name = PyUnicode_InternFromString("dtype");
  static PyObject* const contiguous = PyUnicode_InternFromString("is_contiguous");
  const auto call = [&](PyObject* method) {
    PyObject* result = PyObject_CallMethodNoArgs(tensor.ptr(), method);
    if (!result) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(result);
  };
  const auto read = [&](PyObject* attribute) {
    PyObject* result = PyObject_GetAttr(tensor.ptr(), attribute);
    if (!result) throw py::error_already_set();
    return py::reinterpret_steal<py::object>(result);
  };
  KGF_CHECK(call(contiguous).ptr() == Py_True, argument, " must be contiguous");
  Array array;
  array.data = PyLong_AsVoidPtr(call(data_ptr).ptr());
  array.dtype = dtype_of(read(dtype_name), argument);
  const py::object shape = read(shape_name);
  array.rank = static_cast<int>(PyTuple_Size(shape.ptr()));
  KGF_CHECK(array.rank >= 0 && array.rank <= max_rank, argument, " must have at most ", max_rank,
            " axes, got ", array.rank);
  for (int axis = 0; axis < array.rank; ++axis) {
    array.shape[axis] = PyLong_AsLongLong(PyTuple_GET_ITEM(shape.ptr(), axis));
  }
  if (PyErr_Occurred()) throw py::error_already_set();
  return array;
}

}  // namespace kgf::bindings
