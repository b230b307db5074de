//! The exact bits of the rates: they are part of the contract, and a change to any of them is a breaking change.

use noam_schedule::{
    Constant, Cosine, CosineRestarts, Exponential, InverseSqrt, InverseTime, Linear, Noam, Piecewise, Polynomial,
    Schedule, Shape, Spec, Step, Wsd,
};

fn check(name: &str, schedule: impl Schedule, table: &[(u64, u64)]) {
    assert!(!table.is_empty());
    for &(n, bits) in table {
        let rate = schedule.rate(Step::new(n).unwrap());
        let want = f64::from_bits(bits);
        assert_eq!(rate.to_bits(), bits, "{name} at {n}: {rate:e} ({:#x}), want {want:e}", rate.to_bits());
    }
}
#[test]
fn noam() {
    check(
        "noam 512 4000 1.0",
        Noam::new(512, 4000, 1.0).unwrap(),
        &[
            (1, 0x3e87_7266_36ae_6e78),
            (2, 0x3e97_7266_36ae_6e78),
            (3, 0x3ea1_95cc_a902_d2da),
            (7, 0x3eb4_8419_6fd8_a0a9),
            (100, 0x3ef2_515f_dab8_464d),
            (3999, 0x3f46_e440_ab02_ecf9),
            (4000, 0x3f46_e5b7_d166_57e0),
            (4001, 0x3f46_e4fc_4735_1361),
            (5000, 0x3f44_7ae1_47ae_147a),
            (100000, 0x3f22_515f_dab8_464d),
            (1000000000, 0x3eb7_7266_36ae_6e78),
            (18446744073709551615, 0x3da6_a09e_667f_3bcc),
        ],
    );
    check(
        "noam 64 1 1.0",
        Noam::new(64, 1, 1.0).unwrap(),
        &[
            (1, 0x3fc0_0000_0000_0000),
            (2, 0x3fb6_a09e_667f_3bcc),
            (3, 0x3fb2_79a7_4590_331d),
            (7, 0x3fa8_3091_e6a7_f7e6),
            (100, 0x3f89_9999_9999_999a),
            (5000, 0x3f5c_f68d_4fff_04dd),
            (100000, 0x3f39_e7c6_e433_90b6),
            (1000000000, 0x3ed0_9456_549b_e1bd),
            (18446744073709551615, 0x3dc0_0000_0000_0000),
        ],
    );
    check(
        "noam 512 400 2.0",
        Noam::new(512, 400, 2.0).unwrap(),
        &[
            (1, 0x3ee7_2ba4_3fff_3717),
            (2, 0x3ef7_2ba4_3fff_3717),
            (3, 0x3f01_60bb_2fff_6951),
            (7, 0x3f14_462f_b7ff_5034),
            (100, 0x3f52_1a18_51ff_630a),
            (399, 0x3f72_0e82_7fdf_636e),
            (400, 0x3f72_1a18_51ff_630a),
            (401, 0x3f72_1450_2f40_9f02),
            (5000, 0x3f54_7ae1_47ae_147a),
            (100000, 0x3f32_515f_dab8_464d),
            (1000000000, 0x3ec7_7266_36ae_6e78),
            (18446744073709551615, 0x3db6_a09e_667f_3bcc),
        ],
    );
    check(
        "noam 1024 8000 1.0",
        Noam::new(1024, 8000, 1.0).unwrap(),
        &[
            (1, 0x3e67_7266_36ae_6e78),
            (2, 0x3e77_7266_36ae_6e78),
            (3, 0x3e81_95cc_a902_d2da),
            (7, 0x3e94_8419_6fd8_a0a9),
            (100, 0x3ed2_515f_dab8_464e),
            (5000, 0x3f2c_9f25_c5bf_edd9),
            (7999, 0x3f36_e4fc_3e34_a26e),
            (8000, 0x3f36_e5b7_d166_57e1),
            (8001, 0x3f36_e55a_0a0d_a8c0),
            (100000, 0x3f19_e7c6_e433_90b6),
            (1000000000, 0x3eb0_9456_549b_e1bd),
            (18446744073709551615, 0x3da0_0000_0000_0000),
        ],
    );
    check(
        "noam 300 6000 0.7",
        Noam::new(300, 6000, 0.7).unwrap(),
        &[
            (1, 0x3e77_57b8_d12d_165e),
            (2, 0x3e87_57b8_d12d_165e),
            (3, 0x3e91_81ca_9ce1_d0c5),
            (7, 0x3ea4_6cc1_b707_7391),
            (100, 0x3ee2_3c88_636b_3979),
            (5000, 0x3f3c_7e95_1b57_89cc),
            (5999, 0x3f41_1805_1f6d_fc79),
            (6000, 0x3f41_18bf_dd34_85e1),
            (6001, 0x3f41_1862_814e_0a70),
            (100000, 0x3f20_c052_385c_3eae),
            (1000000000, 0x3eb5_710d_14f0_f413),
            (18446744073709551615, 0x3da4_b136_396e_4db8),
        ],
    );
    check(
        "noam 32 10 1.0",
        Noam::new(32, 10, 1.0).unwrap(),
        &[
            (1, 0x3f76_e5b7_d166_57e0),
            (2, 0x3f86_e5b7_d166_57e0),
            (3, 0x3f91_2c49_dd0c_c1e8),
            (7, 0x3fa4_0900_d739_8ce4),
            (9, 0x3fa9_c26e_cb93_22dc),
            (10, 0x3fac_9f25_c5bf_edd7),
            (11, 0x3fab_4a29_3c1d_954f),
            (100, 0x3f92_1a18_51ff_630a),
            (5000, 0x3f64_7ae1_47ae_147a),
            (100000, 0x3f42_515f_dab8_464d),
            (1000000000, 0x3ed7_7266_36ae_6e78),
            (18446744073709551615, 0x3dc6_a09e_667f_3bcc),
        ],
    );
}

#[test]
fn every_other_kind() {
    let wsd = Wsd::new(1e-3, 100, 400, 300).unwrap().with_initial(1e-6).unwrap().with_end(1e-5).unwrap();
    check(
        "inverse_sqrt",
        InverseSqrt::new(5e-4, 4000).unwrap().with_initial(1e-7).unwrap(),
        &[
            (1, 0x3e8e_3215_0715_7674),
            (2, 0x3e97_7c18_6066_4aa2),
            (3999, 0x3f40_6141_7136_0e8a),
            (4000, 0x3f40_624d_d2f1_a9fc),
            (4001, 0x3f40_61c7_a1a5_90d3),
            (10000, 0x3f34_b96b_e9c2_da2c),
            (123457, 0x3f17_97ca_e98c_9a64),
            (18446744073709551615, 0x3da0_30dc_4ea0_3a72),
        ],
    );
    check(
        "constant",
        Constant::new(3e-4).unwrap(),
        &[(1, 0x3f33_a92a_3055_3261), (18446744073709551615, 0x3f33_a92a_3055_3261)],
    );
    check(
        "linear",
        Linear::new(1e-3, 1e-5, 999).unwrap(),
        &[
            (1, 0x3f50_624d_d2f1_a9fc),
            (2, 0x3f50_5e25_c16a_22f7),
            (334, 0x3f45_f45e_0b4e_11dc),
            (500, 0x3f40_9067_4f8a_f7d3),
            (999, 0x3ee7_0cbe_4ca6_eb45),
            (1000, 0x3ee4_f8b5_88e3_68f1),
            (18446744073709551615, 0x3ee4_f8b5_88e3_68f1),
        ],
    );
    check(
        "polynomial",
        Polynomial::new(1e-3, 1e-5, 999, 2.0).unwrap(),
        &[
            (1, 0x3f50_624d_d2f1_a9fc),
            (2, 0x3f50_59fe_c08f_348e),
            (334, 0x3f3d_7dbf_487f_cb92),
            (500, 0x3f30_e873_47e2_a517),
            (999, 0x3ee4_f93d_df2f_b6b8),
            (1000, 0x3ee4_f8b5_88e3_68f1),
        ],
    );
    check(
        "polynomial 0.7",
        Polynomial::new(1e-3, 0.0, 12345, 0.7).unwrap(),
        &[
            (1, 0x3f50_624d_d2f1_a9fc),
            (2, 0x3f50_6210_f051_ed7f),
            (334, 0x3f50_12c8_4618_c7d2),
            (5000, 0x3f46_c8dc_f209_e9d1),
            (12345, 0x3eb6_f1c2_34d0_d5d4),
            (12346, 0x0000_0000_0000_0000),
        ],
    );
    check(
        "exponential",
        Exponential::new(1e-3, 0.96, 1000).unwrap(),
        &[
            (1, 0x3f50_624d_d2f1_a9fc),
            (2, 0x3f50_6221_fe1b_ce74),
            (500, 0x3f50_0dba_c802_127e),
            (1001, 0x3f4f_7510_4d55_1d69),
            (5000, 0x3f4a_b81f_0410_5287),
            (100000, 0x3ef1_b0c6_d86c_d071),
        ],
    );
    check(
        "exponential staircase",
        Exponential::staircase(1e-3, 0.96, 1000).unwrap(),
        &[
            (1, 0x3f50_624d_d2f1_a9fc),
            (1000, 0x3f50_624d_d2f1_a9fc),
            (1001, 0x3f4f_7510_4d55_1d69),
            (5000, 0x3f4b_d4d5_d95d_a34c),
            (100000, 0x3ef2_6d48_7fa7_e457),
        ],
    );
    check(
        "inverse_time",
        InverseTime::new(1e-3, 0.9, 1000).unwrap(),
        &[
            (1, 0x3f50_624d_d2f1_a9fc),
            (2, 0x3f50_5e88_5347_558f),
            (500, 0x3f46_9cd7_0840_05a7),
            (5000, 0x3f27_d5cd_e64b_1bd6),
            (18446744073709551615, 0x3bf1_c71c_71c7_1c71),
        ],
    );
    check(
        "piecewise",
        Piecewise::new(&[1e-3, 5e-4, 1e-4], &[101, 501]).unwrap(),
        &[
            (1, 0x3f50_624d_d2f1_a9fc),
            (100, 0x3f50_624d_d2f1_a9fc),
            (101, 0x3f40_624d_d2f1_a9fc),
            (500, 0x3f40_624d_d2f1_a9fc),
            (501, 0x3f1a_36e2_eb1c_432d),
            (18446744073709551615, 0x3f1a_36e2_eb1c_432d),
        ],
    );
    check(
        "cosine",
        Cosine::new(1e-3, 1e-5, 999).unwrap(),
        &[
            (1, 0x3f50_624d_d2f1_a9fc),
            (2, 0x3f50_624b_3225_de61),
            (334, 0x3f48_a86d_71f3_6263),
            (500, 0x3f40_92c6_ad28_af71),
            (501, 0x3f40_85b7_cede_322b),
            (999, 0x3ee4_fa05_eec9_368d),
            (1000, 0x3ee4_f8b5_88e3_68f1),
        ],
    );
    check(
        "cosine_restarts",
        CosineRestarts::new(1e-3, 1e-5, 100, 2, 0.8).unwrap(),
        &[
            (1, 0x3f50_624d_d2f1_a9fc),
            (2, 0x3f50_6147_8f4b_9b01),
            (50, 0x3f41_0ead_047c_bc59),
            (100, 0x3ee5_7bd7_5bea_e6a2),
            (101, 0x3f4a_47a9_e2bc_f91b),
            (102, 0x3f4a_4740_f938_d76c),
            (300, 0x3ee5_12ef_e9eb_d4d0),
            (301, 0x3f45_16e8_79d1_7d37),
            (700, 0x3ee4_fdf4_6e65_7b73),
            (701, 0x3f40_efe7_5915_1a1a),
            (123457, 0x3f1b_a77b_e89a_1007),
        ],
    );
    check(
        "wsd Linear",
        wsd.with_shape(Shape::Linear),
        &[
            (1, 0x3ee7_0c36_1941_9a80),
            (99, 0x3f50_3867_24a7_5442),
            (100, 0x3f50_624d_d2f1_a9fc),
            (500, 0x3f50_624d_d2f1_a9fc),
            (501, 0x3f50_5476_79d9_e0b2),
            (600, 0x3f45_f45e_0b4e_11dc),
            (650, 0x3f40_8c3f_3e03_70ce),
            (799, 0x3eeb_e462_14c8_0e22),
            (800, 0x3ee4_f8b5_88e3_68f1),
            (18446744073709551615, 0x3ee4_f8b5_88e3_68f1),
        ],
    );
    check(
        "wsd Cosine",
        wsd.with_shape(Shape::Cosine),
        &[
            (1, 0x3ee7_0c36_1941_9a80),
            (99, 0x3f50_3867_24a7_5442),
            (100, 0x3f50_624d_d2f1_a9fc),
            (500, 0x3f50_624d_d2f1_a9fc),
            (501, 0x3f50_6230_ae70_0864),
            (600, 0x3f48_a86d_71f3_6263),
            (650, 0x3f40_8c3f_3e03_70ce),
            (799, 0x3ee5_0747_c9b4_351f),
            (800, 0x3ee4_f8b5_88e3_68f1),
            (18446744073709551615, 0x3ee4_f8b5_88e3_68f1),
        ],
    );
    check(
        "wsd OneMinusSqrt",
        wsd.with_shape(Shape::OneMinusSqrt),
        &[
            (1, 0x3ee7_0c36_1941_9a80),
            (99, 0x3f50_3867_24a7_5442),
            (100, 0x3f50_624d_d2f1_a9fc),
            (500, 0x3f50_624d_d2f1_a9fc),
            (501, 0x3f4e_e522_78d7_69b9),
            (600, 0x3f3c_13bf_c6d8_5b05),
            (650, 0x3f33_a890_cd0f_e3d1),
            (799, 0x3ee8_6f49_1a25_4f55),
            (800, 0x3ee4_f8b5_88e3_68f1),
            (18446744073709551615, 0x3ee4_f8b5_88e3_68f1),
        ],
    );
}

#[test]
fn warm_up_and_floor() {
    let spec = Spec::from(Cosine::new(1e-3, 0.0, 900).unwrap()).with_warmup(100).unwrap();
    let spec = spec.with_warmup_initial(2e-6).unwrap().with_floor(5e-6).unwrap();
    check(
        "spec",
        spec,
        &[
            (1, 0x3ee9_1fb6_a99f_cc0d),
            (50, 0x3f40_6ab1_4ec2_04f3),
            (99, 0x3f50_3871_e16e_c55b),
            (100, 0x3f50_624d_d2f1_a9fc),
            (101, 0x3f50_624a_8d9e_6dc6),
            (550, 0x3f40_624d_d2f1_a9fc),
            (960, 0x3ed4_f8b5_88e3_68f1),
            (1000, 0x3ed4_f8b5_88e3_68f1),
            (18446744073709551615, 0x3ed4_f8b5_88e3_68f1),
        ],
    );
}
