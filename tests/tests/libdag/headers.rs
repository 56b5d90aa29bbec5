//! The headers: each alone, in every dialect, and used as callers use them (`libdag-contract.md` sections 1, 3 and 4).

use std::fs;
use std::process::Command;

use super::include;

/// Compiles `source`; what the compiler has against it.
fn compile(compiler: &str, options: &[&str], source: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let ending = if compiler == "c++" { "cc" } else { "c" };
    let file = dir.path().join(format!("source.{ending}"));
    fs::write(&file, source).unwrap();
    let mut command = Command::new(compiler);
    command.args(options).args(["-Wall", "-Wextra", "-Werror", "-pedantic", "-c", "-o"]).arg(dir.path().join("out"));
    let output = command.arg("-I").arg(include()).arg(&file).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

const DIALECTS: [(&str, &str); 4] =
    [("cc", "-std=c99"), ("cc", "-std=c11"), ("c++", "-std=c++11"), ("c++", "-std=c++17")];

fn dialects() -> Vec<(&'static str, &'static str)> {
    DIALECTS.into_iter().filter(|(compiler, _)| house_skip::need_program(compiler)).collect()
}

#[test]
fn each_stands_alone_in_every_dialect() {
    let mut count = 0;
    for (compiler, dialect) in dialects() {
        for entry in fs::read_dir(include()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            compile(compiler, &[dialect], &format!("#include <{name}>\n#include <{name}>\n"))
                .unwrap_or_else(|said| panic!("{compiler} {dialect} {name}: {said}"));
            count += 1;
        }
    }
    assert!(count >= 18);
}

#[test]
fn callers_use_them_so() {
    let source = r#"
#include <dagnew.h>
#include <dagapi.h>
#include <dagpci.h>
#include <dagutil.h>
#include <dag_config_api.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#ifndef TYPE_ETH
#error "a macro"
#endif
#ifndef ERF_TYPE_META
#error "a macro"
#endif
#ifndef DAGIOC_CARD_DUCK
#error "a macro"
#endif
typedef char has_16_bytes_before_what_follows[offsetof(dag_record_t, rec) == 16 ? 1 : -1];
typedef char is_33_bytes_long[sizeof(dag_record_t) == 33 ? 1 : -1];
typedef char stands_alone[sizeof(erf_payload_t) == 17 ? 1 : -1];
typedef char has_the_flags_at_9[offsetof(dag_record_t, flags) == 9 ? 1 : -1];
typedef char has_the_size_of_the_clock[sizeof(duckinf_t) == 104 ? 1 : -1];
int use(int fd, uint8_t *bytes, unsigned code);
int use(int fd, uint8_t *bytes, unsigned code)
{
    static uint8_t types[ERF_TYPE_MAX];
    dag_record_t record;
    dag_record_t *r = &record;
    duckinf_t duck;
    attr_uuid_t none = 0;
    dag_size_t size = 0;
    int iface[4] = {0, 0, 0, 0};
    memset(&record, 0, sizeof record);
    memset(&r->flags, 0, sizeof r->flags);
    r->flags.vlen = 1;
    DAG_ERF_SET_IFACE(r, 6);
    iface[r->flags.iface]++;
    duck.Set_Duck_Field = 0;
    duck.Last_TSC = 0;
    switch (code) {
    case PCI_DEVICE_ID_VDAG:
    case PCI_DEVICE_ID_DAG9_2X2:
    case PCI_DEVICE_ID_DAG9_2SX2:
        break;
    default:
        return (int)((erf_payload_t *)(void *)bytes)->eth.dst[0];
    }
    if (bytes - types < dag_record_size || none != kNullAttributeUuid || fd >= DAG_MAX_BOARDS) return 1;
    return ioctl(fd, DAGIOC_CARD_DUCK, &duck) + (int)size + (int)DAGF_NONBLOCK + iface[2];
}
"#;
    for (compiler, dialect) in dialects() {
        compile(compiler, &[dialect], source).unwrap_or_else(|said| panic!("{compiler} {dialect}: {said}"));
    }
    let initialised = "#include <dagapi.h>\nint f(void);\nint f(void) { dag_record_t r = { .flags.vlen = 1, \
                       .rec.eth = {0} }; return r.flags.vlen + r.rec.eth.offset; }\n";
    compile("cc", &["-std=c99", "-Wno-missing-field-initializers"], initialised).unwrap();
}

#[test]
fn names_that_callers_define_are_left_to_them() {
    let functions = [
        "dag_create",
        "dag_findalldevs",
        "dag_read",
        "dag_stats",
        "dag_inject",
        "dag_activate",
        "dag_activate_tx",
        "dag_setnonblock",
        "dag_set_datalink",
        "dag_get_datalink",
        "dag_platform_cleanup",
        "dag_erf_ext_header_count",
        "dag_rxtx_mismatch",
        "dag_device_description",
        "dag_stream_short_description",
        "dag_stream_long_description",
        "dag_available",
        "dag_get_record",
        "dag_get_duckinfo",
        "dag_dump_packet",
        "dag_flush_output",
        "dag_open_device",
        "dag_close_device",
        "dag_help",
        "dag_constructor",
    ];
    let variables = ["dag", "dag_mode", "iom", "duckinf"];
    let mut source = String::from(
        "#include <dagnew.h>\n#include <dagapi.h>\n#include <daginf.h>\n#include <dagpci.h>\n#include <dagutil.h>\n\
         #include <dag_config_api.h>\n#define DUCK 1\nstruct dag_dev_t { int x; };\nstruct dag_per_stream_t { int x; };\n",
    );
    for name in functions {
        source += &format!("float {name}(double odd);\nfloat {name}(double odd) {{ return (float)odd; }}\n");
    }
    for name in variables {
        source += &format!("float {name} = DUCK;\n");
    }
    for (compiler, dialect) in dialects() {
        compile(compiler, &[dialect], &source).unwrap_or_else(|said| panic!("{compiler} {dialect}: {said}"));
    }
}

#[test]
fn what_is_wrong_is_noticed_here() {
    assert!(compile("cc", &["-std=c99"], "#include <dagapi.h>\nfloat dag_open(double x);\n").is_err());
    assert!(compile("cc", &["-std=c99"], "#include <no_such.h>\n").is_err());
}
