"""Step 4: send when due, read the streams on gevent's hub, keep one record for every planned arrival."""
