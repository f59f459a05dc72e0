/* CRC-32C (Castagnoli; RFC 3720, appendix B.4). Pure; any thread. */
#ifndef AFORO_EVENTLOG_CRC32C_H
#define AFORO_EVENTLOG_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of bytes[0..len), with a processor instruction where there is one. */
uint32_t crc32c(const void *bytes, size_t len);

/* The same in portable C, as on processors without an instruction for it; for tests. */
uint32_t crc32c_plain(const void *bytes, size_t len);

#endif
