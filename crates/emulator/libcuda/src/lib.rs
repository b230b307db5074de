//! `libcuda.so`: the functions of [`noam_emulator::libcuda`], exported by their names.
//!
//! A program that loads this library instead of a vendor's driver runs on a device in software. Settings come from the
//! environment ([`noam_emulator::driver::settings`]).

macro_rules! export {
    ($($module:ident: $export:ident,)*) => {
        $(
            mod $module {
                noam_emulator::$export!($module);
            }
        )*
    };
}

export! {
    capture: export_capture,
    context: export_context,
    device: export_device,
    function: export_function,
    graph: export_graph,
    initialization: export_initialization,
    launch: export_launch,
    memcpy: export_memcpy,
    memory: export_memory,
    memset: export_memset,
    module: export_module,
    nodes: export_nodes,
    pointers: export_pointers,
    pool: export_pool,
    stream: export_stream,
    unsupported: export_unsupported,
}
