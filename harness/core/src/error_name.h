/* Errors by the names that people know: "ECONNREFUSED". */
#ifndef TG_ERROR_NAME_H
#define TG_ERROR_NAME_H

/* Return the name of an errno; for a rare one what strerror says. */
const char *tg_error_name(int code);

#endif
