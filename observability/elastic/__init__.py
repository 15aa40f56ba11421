"""From the spool to Elasticsearch: documents, index templates, a shipper that loses and doubles nothing."""
