"""Kibana's data views, saved searches and dashboard, made by code into one file that Kibana imports."""
