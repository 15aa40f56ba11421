"""The golden target: a server that answers by a written timetable and logs when it really wrote."""
