"""gateway/observe"""
