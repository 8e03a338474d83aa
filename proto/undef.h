/* Ends a pass over messages.def. No guard: it is included once for each pass. */
#undef RECORD
#undef MESSAGE
#undef END
#undef U64
#undef I64
#undef F64
#undef BOOL
#undef TIME
#undef ID
#undef STR
#undef OPT
#undef BIN
#undef NAME
#undef JSON
#undef LIST
#undef MAP
#undef SUB
